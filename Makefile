# loyald: one Makefile, everything lands in build/ (build/asan/ with SAN=1, build/cov/ with COV=1). `make help` lists the targets; V=1 shows
# the commands. Packages come from deploy/setup, run once before whatever needs them; hence pkg-config is asked late.
VERSION := 0.1.0
SCHEMA  := $(shell sed -n 's/^\([a-z_]*\) .*/\1/p' migrations/sqitch.plan | tail -n 1)
B       ?= build$(if $(SAN),/asan)$(if $(COV),/cov)
prefix  ?= /usr/local
bindir  ?= $(prefix)/bin
sbindir ?= $(prefix)/sbin
libdir  ?= $(prefix)/lib
mandir  ?= $(prefix)/share/man
unitdir ?= $(prefix)/lib/systemd/system
compdir ?= $(prefix)/share/bash-completion/completions
zshdir  ?= $(prefix)/share/zsh/site-functions
RPATH   ?= -Wl,-rpath,$$ORIGIN:$$ORIGIN/../lib

# --- what there is ---------------------------------------------------------------------------------
PROTOS      := $(wildcard proto/loyal/v1/*.proto)
GEN         := $(PROTOS:proto/%.proto=$(B)/gen/%.pb-c)
PROTO_OBJ   := $(patsubst %.c,$(B)/obj/%.o,$(wildcard proto/*.c)) $(GEN:=.o)
SERVER_OBJ  := $(patsubst %.c,$(B)/obj/%.o,$(wildcard server/*/*.c))
MAIN_OBJ    := $(patsubst %.c,$(B)/obj/%.o,$(wildcard server/main.c))
SDK_OBJ     := $(patsubst %.c,$(B)/obj/%.o,$(wildcard client-sdk/src/*.c))
CLI_OBJ     := $(patsubst %.c,$(B)/obj/%.o,$(wildcard client-sdk/cli/*.c))
SUPPORT_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/support/*.c))
UNITS       := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
BENCHES     := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
FUZZERS     := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_GEN    := $(B)/gen/fuzz/every.pb-c
FUZZ_OBJ    := $(addprefix $(B)/obj/tests/fuzz/,world.o database.o results.o rows.o messages.o strain.o)
PRELOADS    := $(B)/tests/torture/short_memory.so
TORTURED    := $(B)/tests/torture/sdk_client
EXAMPLES    := $(patsubst %.c,$(B)/%,$(wildcard client-sdk/examples/*.c))
MANS        := $(patsubst %.scd,$(B)/man/%,$(notdir $(wildcard deploy/man/*.scd client-sdk/man/*.scd)))
LIBLOYAL    := $(if $(SDK_OBJ),$(addprefix $(B)/,libloyal.so.1 libloyal.so libloyal.a))
PROGRAMS    := $(if $(MAIN_OBJ),$(B)/loyald) $(if $(CLI_OBJ),$(B)/loyalctl)
OBJ         := $(PROTO_OBJ) $(SERVER_OBJ) $(MAIN_OBJ) $(SDK_OBJ) $(CLI_OBJ) $(SUPPORT_OBJ) \
               $(patsubst $(B)/%,$(B)/obj/%.o,$(UNITS) $(BENCHES) $(EXAMPLES) $(TORTURED) $(FUZZERS)) $(FUZZ_OBJ) \
               $(B)/obj/tests/fuzz/replay.o $(FUZZ_GEN).o

# --- how it is compiled: asserts stay on -----------------------------------------------------------
CC       := gcc
CSTD     := -std=gnu11 -D_GNU_SOURCE
CFLAGS   ?= $(if $(COV),-O0,-O2) -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Werror \
            $(if $(FUZZ),-Wno-format-nonliteral)
HARDEN   := -fstack-protector-strong -fstack-clash-protection $(if $(SAN)$(COV),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3) \
            $(if $(filter x86_64,$(shell uname -m)),-fcf-protection)
,        := ,
SANFLAGS := $(if $(SAN),-fsanitize=address$(,)undefined -fno-omit-frame-pointer -fno-sanitize-recover=all)
SANFLAGS += $(if $(COV),--coverage -fprofile-update=atomic) $(if $(FUZZ),-fsanitize=fuzzer-no-link)
LINK     := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed
PICFLAGS  = -fPIE
INCLUDES  = -Iproto -I$(B)/gen -Iserver -Iclient-sdk/include
COMPILE   = $(CC) $(CSTD) $(CPPFLAGS) $(CFLAGS) $(HARDEN) $(SANFLAGS) $(PICFLAGS) -MMD -MP
EXE       = $(CC) $(CFLAGS) $(SANFLAGS) -pie $(LINK) $(LDFLAGS) -o $@
# After the link of what is installed; `make HARDENED=: ...` where other CFLAGS are meant (no optimizing, no FORTIFY).
HARDENED ?= $(if $(SAN)$(COV),:,tests/lint/hardened)

# $(call pkg,NAMES): asked at first use, after deploy/setup, and only once.
pkg         = $(shell pkg-config --libs $(1))
SERVER_LIBS = $(eval SERVER_LIBS := $(call pkg,libevent_openssl libevent_extra libevent_core libpq openssl \
              libprotobuf-c libconfuse jansson libsystemd popt) -lm)$(SERVER_LIBS)
SDK_LIBS    = $(eval SDK_LIBS := $(call pkg,openssl libprotobuf-c))$(SDK_LIBS)
CLI_LIBS    = $(eval CLI_LIBS := $(call pkg,popt jansson liblzma libssl libcrypto libpq libconfuse libevent_extra libevent_core) -lm)$(CLI_LIBS)
TEST_LIBS   = $(eval TEST_LIBS := $(call pkg,cmocka popt) $(SERVER_LIBS))$(TEST_LIBS)
DEP_CFLAGS  = $(eval DEP_CFLAGS := $(shell pkg-config --cflags libevent libpq openssl libprotobuf-c libconfuse \
              jansson popt liblzma libsystemd))$(DEP_CFLAGS)

all: $(PROGRAMS) $(addprefix $(B)/completion/,loyalctl _loyalctl) $(LIBLOYAL) $(MANS) ## build the daemon, the SDK and loyalctl into build/

SETUP := setup-build setup-run setup-test setup-lint setup-package setup-fuzz setup-valgrind
.PHONY: all $(SETUP)
$(SETUP):
	$(if $(NO_SETUP),,@deploy/setup $(@:setup-%=%))

# $(call say,WORD) before a command: one short line for it, or with V=1 the command itself.
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $@;)

# --- rules -----------------------------------------------------------------------------------------
$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h: proto/%.proto | setup-build
	@mkdir -p $(B)/gen
	$(call say,PROTOC)protoc-c --c_out=$(B)/gen -Iproto $<

$(B)/gen/fuzz/%.pb-c.c $(B)/gen/fuzz/%.pb-c.h: tests/fuzz/%.proto | setup-build
	@mkdir -p $(B)/gen/fuzz
	$(call say,PROTOC)protoc-c --c_out=$(B)/gen/fuzz -Itests/fuzz $<

$(B)/gen/%.o: $(B)/gen/%.c | $(GEN:=.h)
	$(call say,CC)$(COMPILE) $(INCLUDES) $(DEP_CFLAGS) -c -o $@ $<

$(B)/obj/%.o: %.c | setup-build $(GEN:=.h)
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) $(WARN) $(INCLUDES) $(DEP_CFLAGS) -c -o $@ $<

# Hidden for good in the shared library; what the SDK exports, loyal.h marks and client-sdk/libloyal.map lists.
$(PROTO_OBJ): PICFLAGS = -fPIC -fvisibility=hidden
$(SDK_OBJ): PICFLAGS = -fPIC -fvisibility=hidden
$(B)/obj/client-sdk/cli/doctor_database.o: override CPPFLAGS += -DSCHEMA_WANTED='"$(SCHEMA)"'
$(CLI_OBJ) $(patsubst $(B)/%,$(B)/obj/%.o,$(EXAMPLES) $(TORTURED)): INCLUDES = -Iclient-sdk/include
$(SUPPORT_OBJ) $(UNITS:$(B)/%=$(B)/obj/%.o) $(FUZZERS:$(B)/%=$(B)/obj/%.o) $(BENCHES:$(B)/%=$(B)/obj/%.o): INCLUDES += -Itests -Iclient-sdk/src
$(FUZZ_OBJ) $(B)/obj/tests/fuzz/replay.o: INCLUDES += -Itests
$(B)/obj/tests/fuzz/fuzz_frame.o: | $(FUZZ_GEN).h
$(UNITS:$(B)/%=$(B)/obj/%.o): | setup-test
$(GEN:=.h): | setup-build
$(OBJ): Makefile
.SECONDARY: $(OBJ) $(GEN:=.c) $(GEN:=.h) $(FUZZ_GEN:=.c) $(FUZZ_GEN:=.h)
.DELETE_ON_ERROR:

$(B)/libproto.a: $(PROTO_OBJ)
$(B)/libserver.a: $(SERVER_OBJ)
$(B)/libsupport.a: $(SUPPORT_OBJ)
$(B)/libloyal.a: $(SDK_OBJ) $(PROTO_OBJ)
$(B)/lib%.a: | setup-build
	@mkdir -p $(@D) && rm -f $@
	$(call say,AR)ar rcsD $@ $^

$(B)/loyald: $(MAIN_OBJ) $(B)/libserver.a $(B)/libproto.a
	$(call say,LINK)$(EXE) $^ $(SERVER_LIBS)
	@$(HARDENED) $@

$(B)/libloyal.so.1: $(SDK_OBJ) $(B)/libproto.a client-sdk/libloyal.map
	$(call say,LINK)$(CC) $(CFLAGS) $(SANFLAGS) -shared -Wl,-soname,libloyal.so.1 -Wl,--no-undefined -Wl,-z,nodelete $(LINK) $(LDFLAGS) \
	    -Wl,--version-script=client-sdk/libloyal.map -o $@ $(filter-out %.map,$^) $(SDK_LIBS)
	@$(HARDENED) $@

$(B)/libloyal.so: $(B)/libloyal.so.1
	$(call say,LINK)ln -sf libloyal.so.1 $@

$(B)/loyalctl: $(CLI_OBJ) $(B)/libloyal.so
	$(call say,LINK)$(EXE) $(CLI_OBJ) -L$(B) -lloyal $(if $(RPATH),'$(RPATH)') $(CLI_LIBS)
	@$(HARDENED) $@

# Without RPATH (packages) loyalctl does not find its library by itself.
$(B)/completion/loyalctl: SHELL_OF = bash
$(B)/completion/_loyalctl: SHELL_OF = zsh
$(B)/completion/loyalctl $(B)/completion/_loyalctl: $(B)/loyalctl
	@mkdir -p $(@D)
	$(call say,MAKE)LD_LIBRARY_PATH=$(B) $< completion --shell $(SHELL_OF) >$@

# Tests of the SDK's own files (test_sdk_*) take its objects first, all others the server's.
TEST_ARCHIVES  = $(SERVER_A) $(LOYAL_A)
SERVER_A      := $(addprefix $(B)/,libserver.a libproto.a)
LOYAL_A       := $(if $(SDK_OBJ),$(B)/libloyal.a)
$(B)/tests/unit/test_sdk_%: TEST_ARCHIVES = $(LOYAL_A) $(SERVER_A)
$(UNITS): $(B)/%: $(B)/obj/%.o $(B)/libsupport.a $(SERVER_A) $(LOYAL_A) | setup-test
	@mkdir -p $(@D)
	$(call say,LINK)$(EXE) $< $(B)/libsupport.a $(TEST_ARCHIVES) $(TEST_LIBS)

# Harnesses stand in for libpq and, towards the sessions, for net/conn.c. With FUZZ=1 libFuzzer is their main
# (tests/fuzz/run), else one that replays files.
WRAP = $(addprefix -Wl$(,)--wrap=,log_event hints_create hints_destroy hints_put clock_monotonic_us arena_alloc arena_copy $(addprefix conn_,welcome reserve commit request_begins request_ends \
       pause resume rest wake close abort))
FUZZ_MAIN = $(if $(FUZZ),-fsanitize=fuzzer,$(B)/obj/tests/fuzz/replay.o)
$(B)/tests/fuzz/fuzz_handler $(B)/tests/fuzz/fuzz_pg: WORLD = $(FUZZ_OBJ) $(WRAP)
$(FUZZERS): $(B)/%: $(B)/obj/%.o $(FUZZ_GEN).o $(FUZZ_OBJ) $(B)/obj/tests/fuzz/replay.o $(SERVER_A)
	@mkdir -p $(@D)
	$(call say,LINK)$(EXE) $< $(FUZZ_GEN).o $(FUZZ_MAIN) $(WORLD) $(SERVER_A) $(SERVER_LIBS)

$(BENCHES): $(B)/%: $(B)/obj/%.o $(B)/libsupport.a $(LOYAL_A) $(SERVER_A) | setup-test
	@mkdir -p $(@D)
	$(call say,LINK)$(EXE) $< $(B)/libsupport.a $(LOYAL_A) $(SERVER_A) $(TEST_LIBS)

# Preloaded into what is tested, sanitized or not: plain code without checks of its own.
$(PRELOADS): $(B)/%.so: %.c Makefile | setup-build
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(CSTD) -O2 -g $(WARN) -fPIC -ftls-model=initial-exec -shared -o $@ $<

# Of the libraries --as-needed drops what an example does not use.
$(EXAMPLES) $(TORTURED): $(B)/%: $(B)/obj/%.o $(B)/libloyal.so
	@mkdir -p $(@D)
	$(call say,LINK)$(EXE) $< -L$(B) -lloyal '-Wl,-rpath,$$ORIGIN/../..' $(call pkg,libevent_core)

vpath %.scd deploy/man client-sdk/man
$(B)/man/%: %.scd | setup-build
	@mkdir -p $(@D)
	$(call say,MAN)scdoc <$< >$@

-include $(OBJ:.o=.d)

# --- targets ---------------------------------------------------------------------------------------
.PHONY: install units benches fuzzers examples test coverage fuzz lint docs-check format tidy layers complexity demo up down psql crash fault torture packages packages-test valgrind bench \
        bench-parity mutants clean help

install: all ## install under DESTDIR and prefix (/usr/local): programs, SDK, man pages, migrations, systemd units
	install -d $(addprefix $(DESTDIR),$(bindir) $(sbindir) $(libdir)/pkgconfig $(prefix)/include/loyal)
	install -m 755 $(B)/loyald $(DESTDIR)$(sbindir)/loyald
	install -m 755 $(B)/loyalctl $(DESTDIR)$(bindir)/loyalctl
	install -m 644 $(B)/libloyal.so.1 $(B)/libloyal.a $(DESTDIR)$(libdir)
	ln -sf libloyal.so.1 $(DESTDIR)$(libdir)/libloyal.so
	sed -e 's|@prefix@|$(prefix)|gI' -e 's|@libdir@|$(libdir)|gI' -e 's|@includedir@|$(prefix)/include|gI' \
	    -e 's|@version@|$(VERSION)|gI' client-sdk/libloyal.pc.in >$(DESTDIR)$(libdir)/pkgconfig/libloyal.pc
	install -m 644 client-sdk/include/loyal/*.h $(DESTDIR)$(prefix)/include/loyal
	for page in $(MANS); do \
	    install -D -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit 1; done
	install -d $(DESTDIR)$(prefix)/share/loyald && cp -r migrations $(DESTDIR)$(prefix)/share/loyald
	install -m 644 deploy/alerts.yml $(DESTDIR)$(prefix)/share/loyald
	install -D -m 644 $(B)/completion/loyalctl $(DESTDIR)$(compdir)/loyalctl
	install -D -m 644 deploy/completion/loyald.sh $(DESTDIR)$(compdir)/loyald
	install -d $(DESTDIR)$(zshdir) && install -m 644 $(B)/completion/_loyalctl deploy/completion/_loyald $(DESTDIR)$(zshdir)
	install -d $(addprefix $(DESTDIR),$(unitdir) $(prefix)/lib/sysusers.d $(prefix)/lib/tmpfiles.d)
	for unit in service socket; do \
	    sed 's|/usr/sbin|$(sbindir)|' deploy/systemd/loyald.$$unit >$(DESTDIR)$(unitdir)/loyald.$$unit || exit 1; done
	install -m 644 deploy/systemd/loyald.sysusers $(DESTDIR)$(prefix)/lib/sysusers.d/loyald.conf
	install -m 644 deploy/systemd/loyald.tmpfiles $(DESTDIR)$(prefix)/lib/tmpfiles.d/loyald.conf

units: $(UNITS) ## build the unit tests
benches: $(BENCHES) $(PRELOADS) $(TORTURED) ## build the load programs, and what torture needs
fuzzers: $(FUZZERS) ## build the harnesses that tests/fuzz/run and make test run
examples: $(EXAMPLES) ## build the SDK's examples

test: all units benches examples | setup-run setup-test ## run every suite; tests/run SUITE ... runs some
	tests/run

coverage: | setup-build setup-run setup-test setup-lint ## which lines the tests reach; fails below the gates
	tests/run coverage

lint: layers complexity | setup-build setup-test setup-lint ## formatting, layers, sizes, cppcheck, shellcheck, pyflakes, buf
	tests/lint/run

format: | setup-lint ## reformat all C files
	tests/lint/files c | xargs -r clang-format -i

tidy: all | setup-lint ## clang-tidy, slower than lint
	tests/lint/files c | grep -E '^(server|proto|client-sdk)/.*\.c$$' | \
	    xargs -r -I FILE -P 2 clang-tidy --quiet FILE -- $(CSTD) -DSCHEMA_WANTED='""' $(INCLUDES) $(DEP_CFLAGS)

docs-check: all ## fail when an option, metric, command, result code or function is in no manual
	tests/lint/docs

layers: ## fail when an #include points upward
	tests/lint/layers
complexity: | setup-lint ## fail when a function or file is too large
	tests/lint/complexity

packages: | setup-package ## Debian packages into build/packages
	tests/packages/build build/packages
packages-test: | setup-package ## build them, lintian, and install, upgrade and remove them in a root of their own
	tests/packages/run

demo: all | setup-run ## a whole network from nothing: three years of purchases, and what the database then says
	deploy/demo $(DEMO_ARGS)
up: all | setup-run ## start the development stack (PostgreSQL, loyald)
	deploy/stack up
down: ## stop it
	deploy/stack down
psql: ## a psql on its database
	deploy/stack psql

crash: all benches | setup-run setup-test ## kill -9 everything in turn, and check the books
	tests/crash/run
fuzz: | setup-build setup-fuzz ## FUZZ_S seconds (60) of each harness under libFuzzer, ASan and UBSan
	tests/fuzz/run --seconds $(or $(FUZZ_S),60)
fault: all benches | setup-run setup-test ## overload, bad peers, a database in trouble, processes that die: minutes each
	tests/fault/run
valgrind: all units examples | setup-run setup-test setup-valgrind ## the SDK and its examples under memcheck and helgrind: minutes
	tests/valgrind/run
torture: all benches | setup-run setup-test ## the n-th allocation fails, in each phase and verb; no crash, no leak: twenty minutes
	$(MAKE) --no-print-directory SAN=1 all benches
	tests/torture/run
bench: all benches | setup-run ## measure
	tests/bench/run
bench-parity: all benches | setup-run ## compare with one function per transaction
	tests/bench/parity
mutants: all | setup-run setup-test ## break the code on purpose: a test must fail each time
	tests/mutations/run

clean: ## remove what was built (not build/tools)
	find build -mindepth 1 -maxdepth 1 ! -name tools -exec rm -rf {} + 2>/dev/null || true

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
