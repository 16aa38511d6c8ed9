# Short names; meson does the work.
#   make                    configure once, build everything into build/
#                           (CC=clang, SAN=address,undefined: into a folder of their own)
#   make unit T=rd          unit tests, or those whose name holds T
#   make fuzz T=ctl SECS=60 replay the corpora, then fuzz those targets for SECS each (clang)
#   make sim WORLDS=n      seeded worlds of a group (SEED=n V=1 replays one), with SIM=coop of
#                           cooperating key servers; default: a few hundred of both
#   make lint | lab         other levels of tests/run; lab wants root
#   make format             apply clang-format
#   make shape              sizes of files and functions
#   make install            meson install (DESTDIR=…)
SAN ?=
T ?=
SECS ?= 30
build := build$(if $(SAN),-san)$(if $(filter clang,$(CC)),-clang)
export CC

all: $(build)/build.ninja
	ninja -C $(build)

$(build)/build.ninja:
	meson setup $(build) $(if $(SAN),-Db_sanitize=$(SAN) -Db_lundef=false)

unit lint lab:
	tests/run $@ T=$(T)

sim:
	$(if $(WORLDS)$(SEED),tests/sim/run,tests/run sim T=$(T))

test:
	tests/run

fuzz:
	tests/run fuzz T=$(T)
	tests/fuzz/run $(SECS) $(T)

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

shape:
	tools/shape

install: all
	meson install -C $(build)

.PHONY: all unit sim lint lab test fuzz format shape install
