package main

import (
	"fmt"
	"unicode"
)

// The ranges of letters, and for each letter whose case folds the least
// character that it is equal to.
func unicodes(o output) {
	for first := rune(0x80); first <= unicode.MaxRune; first++ {
		if !unicode.IsLetter(first) {
			continue
		}
		last := first
		for unicode.IsLetter(last + 1) {
			last++
		}
		o.line("letters", fmt.Sprintf("%x", first), fmt.Sprintf("%x", last))
		first = last
	}
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		if unicode.IsLetter(r) && least != r {
			o.line("fold", fmt.Sprintf("%x", r), fmt.Sprintf("%x", least))
		}
	}
}
