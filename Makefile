# goproxy.fcgi - see "make help".

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
T ?= 60

SRC := goproxy.fcgi.c $(wildcard lib/*/*.c)
LIB_SRC := $(wildcard lib/*/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

# A variant has a directory of its own below build/.
ifeq ($(SAN),1)
VARIANT := sanitize
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPTIMIZE := -O1
else
VARIANT := release
OPTIMIZE := -O2 -D_FORTIFY_SOURCE=2
endif
ifneq ($(findstring clang,$(CC)),)
VARIANT := $(VARIANT)-clang
endif
BUILD := build/$(VARIANT)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wvla -Wundef -Wno-unused-parameter
CFLAGS ?= -g
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DGOPROXY_VERSION='"$(VERSION)"' $(OPTIMIZE) $(CFLAGS) \
	$(WARNINGS) $(SAN_FLAGS) -fstack-protector-strong -pthread -MMD -MP -Ilib -Itests/unit
LIBS := -lfcgi -lcurl -lcrypto -liniparser -ljansson -lz -ldeflate -lutf8proc -lgumbo

PROGRAM := $(BUILD)/goproxy.fcgi
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
UNIT := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
FUZZ_RUN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)

ifeq ($(V),1)
Q :=
else
Q := @
endif

.PHONY: objects tests all help run deps install clean test check lint layers format cover fuzz bench \
	check-go check-live check-direct

all: deps $(PROGRAM) ## build the program (the default)

help: ## list the targets
	@echo "make [TARGET] [SAN=1: sanitizers] [V=1: show commands] [CC=clang]"
	@sed -n 's/^\([a-z-]*\):[^#]*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 20

# What the build needs, on Debian; quick when it is there.
deps:
	@httpd-examples/packages build

$(PROGRAM): $(BUILD)/goproxy.fcgi.o $(LIB_OBJ)
	@echo "  LD   $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c Makefile | deps
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIB_OBJ)
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB_OBJ) -lcmocka $(LIBS)

$(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/run_corpus.c $(LIB_OBJ)
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< tests/fuzz/run_corpus.c $(LIB_OBJ) $(LIBS)

build/fixture: $(wildcard tests/fixture/*.go) tests/fixture/go.mod
	@echo "  GO   $@"
	$(Q)cd tests/fixture && PATH="$$PATH:/usr/local/go/bin" GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local go build -o ../../build/fixture .

run: all ## start a web server with the pool on loopback: SERVER= PORT= PREFIX_PATH= CACHE_DIR= UPSTREAM= RUN_DIR= CONF=
	@httpd-examples/packages run "$${SERVER:-nginx}"
	@GOPROXY_FCGI=$(PROGRAM) exec httpd-examples/run

install: $(PROGRAM) ## install below DESTDIR and PREFIX
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/lib/goproxy/goproxy.fcgi
	install -D -m 644 conf/goproxy.ini $(DESTDIR)$(PREFIX)/share/goproxy/goproxy.ini
	install -d $(DESTDIR)$(PREFIX)/share/goproxy/httpd-examples
	install -m 644 $(filter-out %/run %/packages %.sh,$(wildcard httpd-examples/*)) \
		$(DESTDIR)$(PREFIX)/share/goproxy/httpd-examples
	install -m 755 httpd-examples/spawn-fcgi.sh $(DESTDIR)$(PREFIX)/share/goproxy/httpd-examples

QUICK_T := tests/t/05-config.t tests/t/10-cgi.t tests/t/20-fastcgi.t tests/t/25-sumdb.t
RUN_T := GOPROXY_FCGI=$(PROGRAM) tests/t/run

tests: $(PROGRAM) $(UNIT) $(FUZZ_RUN) build/fixture

test: tests ## unit, corpus, CGI and FastCGI tests: for every save
	@$(RUN_T) $(UNIT) $(FUZZ_RUN) $(QUICK_T)

check: ## everything that CI runs; installs what it needs
	@httpd-examples/packages check
	@$(MAKE) --no-print-directory lint
	@tests/check

lint: ## layers, style, warnings of gcc, clang and clang-tidy
	@python3 tests/lint/layers.py
	@python3 tests/lint/style.py
	@$(MAKE) --no-print-directory -j2 WERROR=1 BUILD=build/lint-gcc objects
	@$(MAKE) --no-print-directory -j2 WERROR=1 BUILD=build/lint-clang CC=clang objects
	@tests/lint/tidy

objects: $(LIB_OBJ) $(BUILD)/goproxy.fcgi.o $(UNIT_SRC:%.c=$(BUILD)/%.o)

layers: ## includes go down
	@python3 tests/lint/layers.py

format: ## lay out the code with clang-format
	clang-format -i $(SRC) $(wildcard lib/*/*.h) $(wildcard tests/*/*.[ch])

cover: ## line coverage of the unit, CGI and FastCGI tests, in build/cover
	@$(MAKE) --no-print-directory BUILD=build/cover CFLAGS="-g --coverage" OPTIMIZE=-O0 test
	@gcovr --root . --object-directory build/cover -e tests 2>/dev/null || \
		find build/cover/lib -name '*.gcda' -exec gcov -n {} + 2>/dev/null | grep -A1 "File 'lib/.*c'"

fuzz: ## each parser with libFuzzer for T seconds
	@for f in $(FUZZ_SRC); do n=$$(basename $$f .c); mkdir -p build/fuzz/$$n; \
	  clang -std=gnu11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Ilib -o build/fuzz/run_$$n \
	    $$f $(wildcard lib/base/*.c) $(wildcard lib/gomod/*.c) -lcrypto -ljansson -lz -ldeflate -lutf8proc -lgumbo && \
	  build/fuzz/run_$$n -max_total_time=$(T) -print_final_stats=0 build/fuzz/$$n tests/fuzz/corpus/$${n#fuzz_} || exit 1; done

build/bench/%: tests/bench/%.c | deps
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(WARNINGS) -o $@ $< -lfcgi

# Not by make bench: it takes a module cache. See there.
build/bench/zips: tests/bench/zips.c $(LIB_OBJ)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(LIBS)

bench: $(PROGRAM) build/fixture build/bench/load build/bench/hello build/bench/fill ## compare with peers and limits, in build/bench.txt and .svg: ROWS="rates ... kill sumdb verify"
	@httpd-examples/packages check
	@python3 tests/bench/bench.py $(ROWS)

check-go: all build/fixture ## the go command's own test scripts through nginx and us
	@httpd-examples/packages check
	@GOPROXY_FCGI=$(PROGRAM) tests/t/run -t 1500 tests/t/40-go.t

check-live: all build/fixture ## real modules, from `go env GOPROXY`, through every server; their checksums
	@httpd-examples/packages check
	@GOPROXY_FCGI=$(PROGRAM) tests/t/run -j 1 -t 1500 tests/t/70-live.t tests/t/71-sumdb-live.t

check-direct: all build/fixture ## modules straight from git, held against the go command's direct mode
	@httpd-examples/packages check
	@BIG_ROUNDS=1 GOPROXY_FCGI=$(PROGRAM) tests/t/run -j 1 -t 1800 tests/t/60-direct.t tests/t/61-direct-big.t

clean: ## remove what was built
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
