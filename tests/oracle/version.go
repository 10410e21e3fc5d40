package main

import (
	"fmt"
	"time"

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

// Pseudo-versions of odd times, bases and builds.
var pseudoList = []string{
	"v0.0.0-00000101000000-a", "v0.0.0-00001231235959-a", "v0.0.0-99991231235959-a", "v0.0.0-19700101000000-a",
	"v0.0.0-19691231235959-a", "v0.0.0-20000229000000-a", "v0.0.0-19000229000000-a", "v0.0.0-20190229000000-a",
	"v0.0.0-20200229000000-a", "v0.0.0-20190631000000-a", "v0.0.0-20190630240000-a", "v0.0.0-20190630236000-a",
	"v0.0.0-20190630235960-a", "v0.0.0-20190030000000-a", "v0.0.0-20191330000000-a", "v0.0.0-20190100000000-a",
	"v0.0.0-20190132000000-a", "v0.0.0-00000229000000-a", "v0.0.0-20380119031408-a", "v7.0.0-20190101000000-a",
	"v0.0.0-20190101000000-a+incompatible", "v2.0.0-20190101000000-a+incompatible", "v2.0.0-20190101000000-a+meta",
	"v1.2.0-0.20190101000000-a", "v2.0.0-0.20190101000000-a+incompatible", "v1.2.1-0.20190101000000-a+incompatible",
	"v1.2.10-0.20190101000000-a", "v1.2.100-0.20190101000000-a", "v1.2.1000000000000000000000-0.20190101000000-a",
	"v1.2.99-0.20190101000000-a", "v1.2.20-0.20190101000000-a", "v1.10.1-0.20190101000000-a", "v1.2.1-0.20190101000000-a+x.y",
	"v1.2.3-0.0.20190101000000-a", "v1.2.3-0.0.0.20190101000000-a", "v1.2.3-rc.1.0.20190101000000-a",
	"v1.2.3-rc-1.0.20190101000000-a+incompatible", "v1.2.3-0-0.0.20190101000000-a", "v1.2.3-rc.20190101000000.0.20190101000000-a",
	"v1.2.3--.0.20190101000000-a", "v0.0.0-0.20190101000000-a", "v0.0.0-20190101000000-20190101000000-a",
}

var majorList = []string{"", "v0", "v1", "v2", "v10", "x"}

var timeList = []int64{0, 1, -1, 1136214245, 1546300800, 4102444799, 1<<31 - 1, 1 << 31, -1 << 31, -62167219200, -62167219201,
	253402300799, 253402300800, 1 << 40, 1 << 55, 1 << 62, -1 << 62, 951782399, 951782400, 951868800}

func pseudoLine(o output, v string) {
	base, err1 := module.PseudoVersionBase(v)
	t, err2 := module.PseudoVersionTime(v)
	rev, err3 := module.PseudoVersionRev(v)
	if err1 != nil || err2 != nil || err3 != nil {
		o.line("pseudo", v, "bad", "", "", "")
		return
	}
	o.line("pseudo", v, "ok", base, t.Unix(), rev)
}

// A version whose year has not four digits isn't one: empty.
func makeLine(o output, major, older string, sec int64, rev string) {
	t := time.Unix(sec, 0).UTC()
	v := ""
	if t.Year() >= 0 && t.Year() <= 9999 {
		v = module.PseudoVersion(major, older, t, rev)
	}
	o.line("make", major, older, sec, rev, v)
}

func pseudos(o output) {
	for _, v := range append(append([]string{}, versionList...), pseudoList...) {
		o.line("canonical", v, semver.Canonical(v))
		pseudoLine(o, v)
		for _, major := range []string{"", "v3"} {
			makeLine(o, major, v, 1546300800, "abcdefabcdef")
		}
	}
	for i, sec := range timeList {
		for j, major := range majorList {
			makeLine(o, major, "", sec, "0123456789ab")
			makeLine(o, major, []string{"v1.2.9", "v2.0.0-rc.1+incompatible"}[(i+j)%2], sec, "x")
		}
	}
}

func versions(o output) {
	pseudos(o)
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
