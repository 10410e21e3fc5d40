// Compiled into the go command's own test binary by tests/t/40-go.t, through
// -overlay; the tree it comes from isn't touched. It lets the driver say which
// GOPROXY each script gets, and learn who asked the test proxy for what.
//
//	GOPROXY_CHECK_URL    GOPROXY of the scripts; "%s" becomes the script's name
//	GOPROXY_CHECK_FRONT  the same for scripts that derive other URLs from it
//	GOPROXY_CHECK_LOG    a line for each request that reaches the test proxy:
//	                     script (or "-"), User-Agent, method, path; with tabs between
package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// checkVariant finds the scripts that use the test proxy's special paths.
var checkVariant = regexp.MustCompile(`\$\{?(proxy|GOPROXY|GOPROXYBASE)\}?/`)

// checkScript sets GOPROXY for the script that lies in file.
func checkScript(setenv func(key, value string) error, file string) error {
	url := os.Getenv("GOPROXY_CHECK_URL")
	if url == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if front := os.Getenv("GOPROXY_CHECK_FRONT"); front != "" && checkVariant.Match(text) {
		url = front
	}
	name := strings.TrimSuffix(filepath.Base(file), ".txt")
	return setenv("GOPROXY", strings.ReplaceAll(url, "%s", name))
}

// checkHandler notes each request; /s/SCRIPT/mod/... is SCRIPT's /mod/...
func checkHandler(serve http.HandlerFunc) http.Handler {
	var mu sync.Mutex
	log, err := os.OpenFile(os.Getenv("GOPROXY_CHECK_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return serve
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		script := "-"
		if rest, ok := strings.CutPrefix(r.URL.Path, "/s/"); ok {
			if name, path, ok := strings.Cut(rest, "/"); ok {
				script = name
				r.URL.Path, r.URL.RawPath = "/"+path, ""
			}
		}
		mu.Lock()
		fmt.Fprintf(log, "%s\t%s\t%s\t%s\n", script, r.UserAgent(), r.Method, r.URL.Path)
		mu.Unlock()
		serve(w, r)
	})
}
