# Session Border Controller - everything a person or CI calls is a target here;
# `make help` lists them.  SAN=asan or SAN=tsan builds under build/$(SAN).

VERSION   := 0.1.0
SAN       ?=
BUILD     := build$(if $(SAN),/$(SAN))
PKGS      := sofia-sip-ua jansson sqlite3 libcrypto
ROOMS     := $(shell sed -n 's/^\([a-z]*\):.*/\1/p' tools/layers.conf)
JOBS      ?= $(shell nproc)
PREFIX    ?= /usr/local
FUZZ_SECONDS ?= 60
SIP_SBC   ?= build/sbc
COMMIT    := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

SAN_FLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SAN_FLAGS_tsan := -fsanitize=thread
SAN_FLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined
SAN_FLAGS_cover := --coverage -O0
SAN_FLAGS := $(SAN_FLAGS_$(SAN))
HARDEN    := -fstack-protector-strong -fPIE \
	$(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
WARN      := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter \
	-Werror=implicit-function-declaration
CFLAGS    ?= -O2 -g
# Looked up when first needed, so that `make deps` works before pkg-config is there.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) -Isbc -I$(BUILD)/include \
	-fno-common -fno-omit-frame-pointer -ffile-prefix-map=$(CURDIR)=. \
	$(HARDEN) $(SAN_FLAGS) $(PKG_CFLAGS) $(CFLAGS)
LDLIBS     = $(shell pkg-config --libs $(PKGS)) -lpthread
# -rdynamic: sip/guard.c shields the library by defining symbols that it calls.
LDFLAGS    = -pie -Wl,-z,relro,-z,now -Wl,--build-id=sha1 -rdynamic $(SAN_FLAGS)

OBJ       := $(BUILD)/obj
FRONT     := $(patsubst %.c,$(OBJ)/%.o,$(wildcard sbc/*.c))
room_objs  = $(patsubst %.c,$(OBJ)/%.o,$(wildcard sbc/$(1)/*.c))
room_deps  = $(shell sed -n 's/^$(1): *//p' tools/layers.conf)
# A room's unit tests link with that room and all rooms above it.
above      = $(sort $(1) $(foreach d,$(call room_deps,$(1)),$(call above,$(d))))
room_tests = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/$(1)/test_*.c))
ROOM_OBJS := $(foreach r,$(ROOMS),$(call room_objs,$(r)))
DATA_OBJS := $(patsubst %.sql,$(OBJ)/%.o,$(wildcard db/*.sql))

all: $(BUILD)/sbc

help:
	@echo "run       install what is missing, build, start with example phones"
	@echo "test      everything that CI runs (<= 15 min)"
	@echo "check     unit tests, layers, headers, format, logs, rows (< 2 min)"
	@echo "unit      unit tests, of some rooms with R='sdp route'"
	@echo "check-san check-tsan check-valgrind   unit tests under sanitizers"
	@echo "sip lab lab-real kills fuzz soak bench   long proofs, by hand"
	@echo "cover     which lines the unit tests reach"
	@echo "install   to DESTDIR and PREFIX"
	@echo "menuconfig x86_64_defconfig           build options"

# ---- a fresh machine ----------------------------------------------------
deps:
	@tools/deps build
deps-test:
	@tools/deps build test
run: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@tools/run-example $(BUILD)/sbc build/run

# ---- configuration (Kconfig) --------------------------------------------
KCONFIG = KCONFIG_CONFIG=.config
menuconfig:
	@tools/deps kconfig
	$(KCONFIG) kconfig-mconf Kconfig
%_defconfig:
	@tools/deps kconfig
	$(KCONFIG) kconfig-conf --defconfig=configs/$@ Kconfig
olddefconfig:
	$(KCONFIG) kconfig-conf --olddefconfig Kconfig
savedefconfig:
	$(KCONFIG) kconfig-conf --savedefconfig=defconfig Kconfig
# Without .config the build takes the defaults of x86_64.
DOTCONFIG := $(firstword $(wildcard .config) configs/x86_64_defconfig)
$(BUILD)/include/autoconf.h: $(DOTCONFIG) Makefile
	@mkdir -p $(@D)
	@sed -n -e 's/^\(CONFIG_[A-Z0-9_]*\)=y$$/#define \1 1/p' -e t \
		-e 's/^\(CONFIG_[A-Z0-9_]*\)=\(.*\)$$/#define \1 \2/p' $< > $@
$(BUILD)/include/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define SBC_VERSION "%s"\n#define SBC_COMMIT "%s"\n' \
		$(VERSION) $(COMMIT) > $@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@

# ---- the binary ---------------------------------------------------------
GENERATED := $(BUILD)/include/autoconf.h $(BUILD)/include/version.h
$(OBJ)/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(OBJ)/sbc/%.o: $(BUILD)/include/autoconf.h
$(OBJ)/db/%.o: db/%.sql
	@mkdir -p $(@D)
	@cd db && $(LD) -r -b binary -z noexecstack -o $(CURDIR)/$@ $*.sql
$(BUILD)/sbc: $(FRONT) $(ROOM_OBJS) $(DATA_OBJS)
	@echo "  LD      $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
lib: $(foreach r,$(R),$(call room_objs,$(r)))
install: all
	install -D -m 0755 $(BUILD)/sbc $(DESTDIR)$(PREFIX)/sbin/sbc
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 docs/man/sbc.8
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man5 docs/man/sbc.conf.5
	install -D -m 0644 firmware/systemd/sbc.sysusers \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/sbc.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,@PREFIX@,$(PREFIX),' firmware/systemd/sbc.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/sbc.service

# ---- tools --------------------------------------------------------------
# The lab's NAT; its unit tests and fuzz targets are its own, not a room's.
EMULATOR  := $(patsubst %.c,$(OBJ)/%.o,$(wildcard tools/nat-emulator/*.c))
EMU_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/emulator/test_*.c))
EMU_LIBS  := $(BUILD)/lib/nat-emulator.a $(BUILD)/lib/core.a
$(EMULATOR) $(OBJ)/tests/unit/emulator/%.o $(OBJ)/tests/fuzz/%.o: \
	ALL_CFLAGS += -Itools
$(BUILD)/lib/nat-emulator.a: $(filter-out %/main.o,$(EMULATOR))
	@mkdir -p $(@D)
	@rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/nat-emulator: $(filter %/main.o,$(EMULATOR)) $(EMU_LIBS)
	@echo "  LD      $@"
	@$(CC) $(LDFLAGS) -o $@ $^
$(EMU_TESTS): $(BUILD)/%: $(OBJ)/%.o $(EMU_LIBS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(LDFLAGS) -o $@ $^ -lcmocka
nat-emulator: $(BUILD)/nat-emulator

# ---- tests --------------------------------------------------------------
define unit_rule
$(BUILD)/lib/$(1).a: $(call room_objs,$(1)) $(if $(filter store,$(1)),$(DATA_OBJS))
	@mkdir -p $$(@D)
	@rm -f $$@ && $(AR) rcs $$@ $$^
$(call room_tests,$(1)): $(BUILD)/tests/unit/$(1)/%: $(OBJ)/tests/unit/$(1)/%.o \
		$(foreach a,$(call above,$(1)),$(BUILD)/lib/$(a).a)
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	@$$(CC) $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) \
		-Wl,--end-group -lcmocka $$(LDLIBS)
endef
$(foreach r,$(ROOMS),$(eval $(call unit_rule,$(r))))
units = $(foreach r,$(or $(R),$(ROOMS) emulator),$(call room_tests,$(r)))
unit: $(units)
	@tools/run-units $(units)

layers:
	@tools/check-layers --self-test
	@tools/check-layers
headers: $(GENERATED)
	@tools/check-headers $(CC) $(ALL_CFLAGS)
format:
	@tools/check-format
logs:
	@tools/check-logs
rows:
	@tools/rows
check: layers headers format logs rows unit
check-san:
	@$(MAKE) --no-print-directory SAN=asan unit
check-tsan: # the rooms that have threads
	@$(MAKE) --no-print-directory SAN=tsan R='core store media dns' unit
check-valgrind: $(units)
	@command -v valgrind >/dev/null || \
		{ echo "valgrind is missing: make deps-test"; exit 1; }
	@UNIT_SECONDS=600 UNIT_UNDER="valgrind -q --error-exitcode=99 \
		--leak-check=full --errors-for-leak-kinds=definite" \
		tools/run-units $(units)

# A fuzz target links with the rooms that it includes and those above them.
fuzz_rooms = $(sort $(foreach r,$(shell sed -n \
	's,^\#include "\([a-z]*\)/.*,\1,p' $(1)),$(call above,$(r))))
define fuzz_rule
$(BUILD)/$(1): $(OBJ)/tests/fuzz/$(1).o \
		$(foreach r,$(call fuzz_rooms,tests/fuzz/$(1).c),$(BUILD)/lib/$(r).a)
	@echo "  LD      $$@"
	@$$(CC) $$(LDFLAGS) -fsanitize=fuzzer -o $$@ $$< -Wl,--start-group \
		$$(filter %.a,$$^) -Wl,--end-group $$(LDLIBS)
endef
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
$(foreach f,$(FUZZERS),$(eval $(call fuzz_rule,$(f))))
$(BUILD)/fuzz_emulator: $(EMU_LIBS)
fuzz-targets: $(FUZZERS:%=$(BUILD)/%)
fuzz:
	@command -v clang >/dev/null || \
		{ echo "clang is missing: make deps-test"; exit 1; }
	@$(MAKE) --no-print-directory SAN=fuzz CC=clang fuzz-targets
	@tools/run-fuzz build/fuzz $(FUZZ_SECONDS)

# What is proved on a running binary; each says itself what it lacks.
sip:
	@tests/sip/run --binary $(SIP_SBC) $(SIP)
lab: $(BUILD)/nat-emulator
	@tests/lab/run $(LAB)
lab-real: $(BUILD)/nat-emulator # true times: NATs that forget after 30 s
	@tests/lab/run --real -j 24 -k silent_phone -k moves_ -k caller_that_never $(LAB)
kills:
	@tests/lab/kills $(KILLS)
soak:
	@tests/soak/run $(SOAK)
bench:
	@tools/deps bench
	@tests/perf/run $(BENCH)
test: deps-test
	@MAKE="$(MAKE)" JOBS=$(JOBS) tools/run-tests
cover:
	@$(MAKE) --no-print-directory SAN=cover unit
	@tools/cover build/cover

.PHONY: all help deps deps-test run lib install nat-emulator unit layers \
	headers format logs rows check check-san check-tsan check-valgrind fuzz \
	fuzz-targets sip lab lab-real kills soak bench test cover FORCE
FORCE:
.SECONDARY:
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
