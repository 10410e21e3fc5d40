package main

import (
	"fmt"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// In semver order where valid, so that neighbours are worth comparing.
var versionList = []string{
	"", "v", "V1.0.0", "1.0.0", "v-1", "v1.", "v1.2.", "v01", "v1.02.3", "v1.2.03",
	"v1.2.3-", "v1.2.3+", "v1.2.3-+", "v1.2.3-01", "v1.2.3-1.01", "v1.2.3-a..b",
	"v1.2.3-a_b", "v1.2.3+a_b", "v1.2.3+a..b", "v1.2.3+a+b", "v1.2-pre", "v1-pre",
	"v1+meta", "v1.2+meta", "v1.2.3.4", "v1.2.3 ", " v1.2.3", "v1.2.3\n", "v1.2.3/x",
	"v1.2.3-é", "v1.2.3-\x00", "bad", "latest", "master", "v1.2.3beta",
	"vx.y.z", "v1.x", "v0x1", "v1.2.3-+meta", "v1.2.3-alpha.",
	"v0", "v0.0", "v0.0.0", "v0.0.0-0", "v0.0.0-20190101000000-abcdefabcdef",
	"v0.0.1-0.20190101000000-abcdefabcdef", "v0.0.1", "v0.1.0", "v0.2", "v0.10.0",
	"v1", "v1.0", "v1.0.0-0", "v1.0.0-1", "v1.0.0-2", "v1.0.0-11", "v1.0.0-1.0",
	"v1.0.0-1.a", "v1.0.0-1a", "v1.0.0-A", "v1.0.0-Z.1", "v1.0.0-a", "v1.0.0-a-b",
	"v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta", "v1.0.0-beta",
	"v1.0.0-beta.2", "v1.0.0-beta.11", "v1.0.0-rc.1", "v1.0.0-rc.1+build.5",
	"v1.0.0--", "v1.0.0---.0", "v1.0.0-0a", "v1.0.0-00a", "v1.0.0-99999999999999999999",
	"v1.0.0-100000000000000000000", "v1.0.0", "v1.0.0+incompatible", "v1.0.0+meta",
	"v1.0.0+incompatible.1", "v1.0.0+00", "v1.0.0+Incompatible", "v1.0.0+incompatible-x",
	"v1.2.0", "v1.2.1", "v1.2.9", "v1.2.10", "v1.10.0", "v1.99999999999999999999.0",
	"v1.100000000000000000000.0", "v2", "v2.0.0", "v2.0.0+incompatible",
	"v2.0.0-pre+incompatible", "v3.0.0-20190101000000-abcdefabcdef+incompatible",
	"v10", "v17.0.0+incompatible", "v18446744073709551616.0.0", "v18446744073709551617.0.0",
	// Pseudo-versions and what is nearly one.
	"v1.0.0-20190101000000-abcdefabcdef", "v1.0.1-20190101000000-abcdefabcdef",
	"v1.1.0-20190101000000-abcdefabcdef", "v1.2.4-0.20190101000000-abcdefabcdef",
	"v1.2.4-0.20190101000000-abcdefabcdef+incompatible",
	"v1.2.4-0.20190101000000-abcdefabcdef+meta.1", "v1.2.3-pre.0.20190101000000-abcdefabcdef",
	"v1.2.3-pre.1.20190101000000-abcdefabcdef", "v1.2.3-pre.0.2019010100000-abcdefabcdef",
	"v1.2.3-pre.0.201901010000000-abcdefabcdef", "v1.2.3-0.20190101000000-abc_def",
	"v1.2.3-0.20190101000000-", "v1.2.3-0.20190101000000", "v1.2.3-0-20190101000000-abcdef",
	"v1.2.3-0.20190101000000-ABCdef12", "v1.2.3-0.20190101000000-a", "v1.2.3-0.20190101000000-a.b",
	"v1.2.3-a.b-c.0.20190101000000-abcdef", "v1.2.3-00.20190101000000-abcdef",
	"v1.2.3-a0.20190101000000-abcdef", "v1.2.3-a-0.20190101000000-abcdef", "v1.2.3-x.0.99999999999999-zz",
	"v0.0.0-00010101000000-000000000000", "v00.0.0-20190101000000-abcdefabcdef",
	"v1.0.0-x20190101000000-abcdefabcdef", "v1.0.0--20190101000000-abcdef",
	"v1.0.0-20190101000000-abc-def", "v1.0.0-a.0.20190101000000-abc-def",
	"v5.0.0-20190101000000-abcdefabcdef", "v5.0-20190101000000-abcdefabcdef",
	"v0.0.1-go1.26.8.linux-amd64", "v0.0.1-go1.27rc1.windows-arm64",
}

// What stands behind "@v/": queries, and what never may.
var queryList = []string{
	"upgrade", "patch", "main", "feature-x", "feature/x", "v1.2", "HEAD", "Release", "deadbeef",
	"a!b", "!", "!a", "!!a", "a!", "!A", "!1", "!é", "é", "a b", " ", ".", "..", "...", "a.", ".a", "a..b", "-a",
	"a/b", "/", "con", "CON", "con.txt", "c!o!n", "!c!o!n", "aux.1", "lpt0", "lpt9.x", "com10", "progra~1", "x~1",
	"a\x00", "a\x1f", "a\x7f", "a\xff", "a<b", "a>b", "a:b", "a|b", "a\"b", "a'b", "a*b", "a?b", "a`b", "a\\b",
	"a#b", "a%b", "a@b", "a=b", "a,b", "a;b", "a{b}", "a[b]", "a^b", "a&b", "a(b)", "a$b", "a+b", "a~b", "a_b",
	"v1.0.0-!r!c1", "v1.0.0-RC1", "v1.0.0-!!rc1", "v1.0.0-rC1", "v1.0.0%2Bincompatible", "ⅷ", "x\u0130",
}

func versionLine(o output, v string) {
	o.line("version", v, semver.IsValid(v), v != "" && module.CanonicalVersion(v) == v,
		module.IsPseudoVersion(v), semver.Major(v), semver.Prerelease(v), semver.Build(v))
}

func compareLine(o output, v, w string) int {
	order := semver.Compare(v, w)
	o.line("compare", v, w, order)
	return order
}

func versions(o output) {
	for _, v := range versionList {
		versionLine(o, v)
	}
	for i, v := range versionList {
		for j, w := range versionList {
			// All pairs would be much: neighbours, and a sample.
			if (i-j <= 2 && j-i <= 2) || (i*31+j*17)%13 == 0 {
				compareLine(o, v, w)
			}
		}
	}
	for _, v := range append(append([]string{}, versionList...), queryList...) {
		esc, err := module.EscapeVersion(v)
		o.line("escape", v, verdict(err), esc)
		plain, err := module.UnescapeVersion(v)
		o.line("unescape", v, verdict(err), plain)
	}
	for c := 0; c < 256; c++ {
		for _, v := range []string{fmt.Sprintf("a%cb", byte(c)), string([]byte{'a', byte(c)}), string([]byte{byte(c), 'a'})} {
			esc, err := module.EscapeVersion(v)
			o.line("escape", v, verdict(err), esc)
			plain, err := module.UnescapeVersion(v)
			o.line("unescape", v, verdict(err), plain)
		}
	}
}
