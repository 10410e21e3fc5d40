package main

import (
	"fmt"
	"unicode"
)

func ranges(o output, kind string, first rune, is func(rune) bool) {
	for ; first <= unicode.MaxRune; first++ {
		if !is(first) {
			continue
		}
		last := first
		for is(last + 1) {
			last++
		}
		o.line(kind, fmt.Sprintf("%x", first), fmt.Sprintf("%x", last))
		first = last
	}
}

// The ranges of letters and of what is printable, and for each letter whose
// case folds the least character that it is equal to.
func unicodes(o output) {
	ranges(o, "letters", 0x80, unicode.IsLetter)
	ranges(o, "printable", 0, unicode.IsPrint)
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
