/*
 * page.h - what a person sees who opens "/" in a browser: what this is, that
 * it works, and the line to copy.
 */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H

#include "serve/http.h"

struct str page_home(const struct http_request *request);

#endif
