package main

import (
	"path"
	"strings"

	"golang.org/x/mod/module"
)

var globList = []string{
	// Plain, stars and question marks.
	"abc", "*", "*c", "a*", "a*/b", "**", "***", "*/*", "*/", "?", "??", "a?b", "a*b*c*d*e*/f", "a*b?c*x", "*a*", "*b", "*a*b", "a*a", "a**a",
	"*ab*ab", "*.example.com", "*.corp.example.com,rsc.io/private", "example.com/*/x", "github.com/[a-m]*/*",
	strings.Repeat("*a", 40), strings.Repeat("a", 300), strings.Repeat("a/", 50), strings.Repeat("?", 64), strings.Repeat("*", 500) + "c",
	"[" + strings.Repeat("a-z", 200) + "]bc",
	// Classes.
	"ab[c]", "ab[b-d]", "ab[e-g]", "ab[^c]", "ab[^b-d]", "ab[^e-g]", "[a-c]bc", "[^a]bc", "[!a]bc", "[!b]bc", "[z-a]bc", "[^z-a]bc", "[aa]bc",
	"[a-ab]bc", "[0-9A-Fa-f]bc", "[^^]bc", "[^^a]bc", "[a^]bc", "[[]bc", "[[a]bc", "[[:alpha:]]bc", "[:alpha:]bc", "[[.a.]]bc", "[[=a=]]bc",
	"[*]bc", "[?]bc", "[*a]*", "[a*]", "[.-0]bc", "a[.-0]b", "a[^x]b", "a[/]b", "a[.-0]b[/c]", "[a-ζ]*", "*[a-ζ]", "[^a]", "[é]bc", "*[^é]", "[☺-☻]",
	"[\ufffd]bc", "a[^a]b", "a[^a][^a][^a]b", "[\U0010ffff]", "[\U00010000-\U0010ffff]",
	// Escapes.
	`a\*b`, `\a\b\c`, `\*`, `\?`, `\[a]`, `a\[b]`, `[\]a]bc`, `[\-]`, `[x\-]`, `[\-x]`, `[\a-\c]bc`, `[\\]`, `\\`, `[\^a]bc`, `[^\^]bc`, `[a-\]]bc`, `[\*]`,
	`\é`, `[\é]`, `a\/b`, `[\/]`, `[a\]]*]bc`,
	// Malformed.
	"[]a]", "[]", "[^]", "[^]a]", "[-]", "[x-]", "[-x]", "[^-x]", `\`, "[a-b-c]", "[a--]", "[--a]", "[", "[^", "[^bc", "[a", "[a-", "[a-b", "a[", "a/b[", "*[", "abc[",
	"*x[", "[a/b", "[]]bc", `[\`, `[a\`, `[a-\`, `abc\`, `a*\`, `a\/`, `\/`, "[\xff]bc", "[a-\xff]bc", "[\xed\xa0\x80]", "[\xc3]", "a]", "]", "a]b", "[a]]bc", "zzz/[", "a*b[",
	"[a*", "[*", "*[*",
	// Bytes.
	"a\xffb", "é", "a?c", "\xc3*", "?\xa9", "*\xa9", "a☺b", "a???b", "a\x00b", "a[\x00]b", "a[\ufeff]b", "a[\uffff]b", "\xed\xa0\x80",
	// Slashes at the end, empty elements, commas.
	"", ",", ",,", "/", "//", "///", "a/", "a//", "abc/", "abc//", "/abc", "/a", "*//", "a/b/", "a//b", "/,abc", ",abc", "abc,", ",,abc,,", "x,abc", "x,y,z",
	"[a,b]bc", "[a,abc", `\,abc`, `a\,abc`, "abc/,[", "[,abc", " abc", "abc ", "x, abc", "ABC", "Abc",
	"example.com/private,*.example.com/x/[a-c]", "*.com", "*.com/*", "example.com/a/b/c", "example.[a-z][a-z][a-z]/private",
}

var targetList = []string{
	"", "a", "c", "abc", "abcd", "ab", "ABC", "a/b", "abc/b", "abc/d/e", "a/b/c", "a/b/c/d/e/f", "a/", "/", "//", "/a", "/abc", "a//b", "a/bc", "a/b/", "aab/ab",
	"a*b", "*", "?", "[a]", "]", "-", "x", "z", "^bc", "^", "!bc", "bbc", "[bc", "]bc", "a]bc", ":bc", `a\b`, `\`, ",abc", "a,b", "a[b]",
	"axbxcxdxe/f", "axbxcxdxexxx/f", "axbxcxdxe/xxx/f", "abxbbxdbxebxczzx", "a☺b", "α", "A", "é", "ébc", "é/x", "\xa9", "\xc3", "a\xffb", "\xffbc", "\ufffdbc", "☺", "\U0010ffff",
	"a\x00b", "a\ufeffb", "a\uffffb", "\xed\xa0\x80", "aéc", "a.b/c", "a/b/c,d", "ababab", strings.Repeat("a", 40), strings.Repeat("a", 300), strings.Repeat("a/", 60),
	"example.com", "example.com/private", "example.com/private/x/v2", "example.com/a/b/c/d", "git.example.com/x/b/v2", "rsc.io/private/x", "github.com/google/uuid",
	"github.com/zzz/uuid", "git.corp.example.com/a",
}

func patterns(o output) {
	match := func(globs, target string) bool {
		ok := module.MatchPrefixPatterns(globs, target)
		o.line("match", globs, target, ok)
		return ok
	}
	for _, row := range table("module/module_test.go", "TestMatchPrefixPatterns") {
		expect(row[0], match(row[0], row[1]), row[2])
	}
	for _, glob := range globList {
		if !strings.Contains(glob, ",") {
			_, err := path.Match(strings.TrimSuffix(glob, "/"), "")
			o.line("pattern", glob, verdict(err))
		}
		// What matches nothing says little: of those, a sample.
		for i, target := range targetList {
			if module.MatchPrefixPatterns(glob, target) || (i+len(glob))%7 == 0 {
				match(glob, target)
			}
		}
	}
}
