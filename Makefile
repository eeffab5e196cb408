# Session Border Controller - everything a person or CI calls is a target here;
# `make help` lists them.  SAN=asan or SAN=tsan builds under build/$(SAN).

VERSION   := 0.1.0
SAN       ?=
BUILD     := build$(if $(SAN),/$(SAN))
PKGS      := sofia-sip-ua jansson sqlite3 libcrypto
ROOMS     := $(shell sed -n 's/^\([a-z]*\):.*/\1/p' tools/layers.conf)
COMMIT    := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

SAN_FLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SAN_FLAGS_tsan := -fsanitize=thread
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
DATA_OBJS := $(OBJ)/db/schema.o

all: $(BUILD)/sbc

help:
	@echo "run       install what is missing, build, start with example phones"
	@echo "test      everything that CI runs (<= 15 min)"
	@echo "check     unit tests, layers, headers, format (< 2 min)"
	@echo "check-san check-tsan check-valgrind   the same under sanitizers"
	@echo "sip lab fuzz soak bench               long proofs, by hand"
	@echo "menuconfig x86_64_defconfig           build options"

# ---- a fresh machine ----------------------------------------------------
deps:
	@tools/deps build
deps-test:
	@tools/deps build test
run: deps
	@$(MAKE) --no-print-directory all
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
lib: $(call room_objs,$(R))

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
UNIT := $(foreach r,$(ROOMS),$(call room_tests,$(r)))
unit: $(if $(R),$(call room_tests,$(R)),$(UNIT))
	@tools/run-units $^

.PHONY: all help deps deps-test run lib unit FORCE
FORCE:
.SECONDARY:
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
