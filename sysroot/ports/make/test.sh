# SPDX-License-Identifier: MIT
mkdir -p /tmp/made && cd /tmp/made
cat >Makefile <<'END'
names := one two three four five six
all: $(names:%=%.out) ; @cat $^ | sort
%.out: %.in ; @sleep 0.2; tr a-z A-Z <$< >$@
%.in: ; @echo $* $(words $(names)) >$@
fails: ; @exit 3
list: ; @echo $(sort $(notdir $(wildcard *.out))) $(shell echo shell)
.PHONY: all fails list show
.PRECIOUS: %.in
include other.mk
other.mk: ; @echo 'more := $$(subst a,b,banana)' >$@
show: ; @echo $(more) $(if $(filter 4.%,$(MAKE_VERSION)),version 4) $(foreach n,1 2,[$n])
END
make -j4 && make list show
make fails
echo $?
touch -d '2001-01-01' one.out && make -n all | head -n 1
printf 'sub:\n\t+@$(MAKE) -s -C /tmp/made list\n' >/tmp/sub.mk && make -s -j3 -f /tmp/sub.mk 2>&1
