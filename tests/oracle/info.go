package main

import (
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/mod/module"
)

// As modfetch.RevInfo, as far as it counts.
type revInfo struct {
	Version string
	Time    time.Time
}

func checkInfo(text, asked string) error {
	var info revInfo
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return err
	}
	if info.Version == "" || module.CanonicalVersion(info.Version) != info.Version {
		return errors.New("not canonical")
	}
	if asked != "" && asked != info.Version {
		return errors.New("another version")
	}
	return nil
}

func infos(o output) {
	one := func(text, asked string) { o.line("info", text, asked, verdict(checkInfo(text, asked))) }
	for _, text := range []string{
		"", " ", "null", "[]", "{}", "1", `"v1.0.0"`, "<html></html>", "not found", `{"Version":"v1.0.0"`, `{"Version":"v1.0.0"}`,
		"\xef\xbb\xbf" + `{"Version":"v1.0.0"}`, ` {"Version" : "v1.0.0"} ` + "\n", `{"Version":"v1.0.0"} x`, `{"Version":"v1.0.0"}{}`,
		`{"version":"v1.0.0"}`, `{"VERSION":"v1.0.0"}`, `{"Version":"v2.0.0","version":"v1.0.0"}`,
		`{"version":"v1.0.0","Version":"v2.0.0"}`, `{"Version":"v2.0.0","Version":"v1.0.0"}`, `{"Version":1}`, `{"Version":["v1.0.0"]}`,
		`{"Version":""}`, `{"Version":"1.0.0"}`, `{"Version":"v1"}`, `{"Version":"v1.0"}`, `{"Version":"v1.0.0+meta"}`,
		`{"Version":"v1.0.0+incompatible"}`, `{"Version":"v1.0.0-rc.1"}`, `{"Version":"v1.0.1"}`, `{"Version":"v1.0.0 "}`,
		`{"Version":"\u00761.0.0"}`, `{"Version":"v1.0.0","Other":{"a":[1,2,{"b":null}]}}`, `{"Version":"v1.0.0","N":1e300}`,
		`{"Version":"v1.0.0","N":123456789012345678901234567890}`, `{"Version":"v1.0.0","S":"a\u0000b"}`,
		`{"Version":"v1.0.0","Origin":{"VCS":"git","URL":"https://example.com/m","Hash":"0123"}}`, `{"Version":"v1.0.0",}`,
		`{'Version':'v1.0.0'}`, `{Version:"v1.0.0"}`, `{"Version":"v1.0.0" /* x */}`, "{\"Version\":\"v1.0.0\",\"S\":\"a\tb\"}",
	} {
		one(text, "")
		one(text, "v1.0.0")
	}
	for _, t := range []string{
		"2020-01-02T03:04:05Z", "2020-01-02T03:04:05.123456789Z", "2020-01-02T03:04:05+02:00", "2020-01-02T03:04:05-11:30",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2020-02-29T00:00:00Z", "2019-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
		"2000-02-29T00:00:00Z", "2020-04-31T00:00:00Z", "2020-13-01T00:00:00Z", "2020-00-01T00:00:00Z", "2020-01-00T00:00:00Z",
		"2020-01-32T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T23:60:00Z", "2020-01-01T23:59:60Z", "2020-01-01T23:59:59",
		"2020-01-01", "2020-01-01 00:00:00Z", "2020-01-01t00:00:00z", "2020-1-1T00:00:00Z", "2020-01-01T0:00:00Z",
		"2020-01-01T00:00:00.Z", "2020-01-01T00:00:00,5Z", "2020-01-01T00:00:00+24:00", "2020-01-01T00:00:00+23:59",
		"2020-01-01T00:00:00+2:00", "2020-01-01T00:00:00+0200", "2020-01-01T00:00:00+02", "2020-01-01T00:00:00+02:60",
		"2020-01-01T00:00:00ZZ", "2020-01-01T00:00:00Z ", "", "now", "20200-01-01T00:00:00Z", "-020-01-01T00:00:00Z",
		"2020-01-01T00:00:00+25:00", "2020-01-01T00:00:00+24:60", "2020-01-01T00:00:00+00:61", "2020-01-01T003:00:00Z", "2020-01-01T3:00:00Z",
	} {
		one(`{"Version":"v1.0.0","Time":"`+t+`"}`, "v1.0.0")
	}
	for _, t := range []string{"null", "1", "{}", "true", "[]"} {
		one(`{"Version":"v1.0.0","Time":`+t+`}`, "v1.0.0")
	}
}
