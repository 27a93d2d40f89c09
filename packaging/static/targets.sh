# The targets, one row each, and the compiler for them: Debian's cross gcc told by a specs
# file to use musl's headers, start files and libc.a. Sourced by build.
#
# name  GNU triplet, Debian's  musl's folder         OpenSSL's name  what runs it elsewhere
static_targets='
arm64 aarch64-linux-gnu      aarch64-linux-musl    linux-aarch64   qemu-aarch64-static
armhf arm-linux-gnueabihf    arm-linux-musleabihf  linux-armv4     qemu-arm-static
amd64 x86_64-linux-gnu       x86_64-linux-musl     linux-x86_64
'

# target ARCH: sets triplet, musl_dir, openssl_target, emulator.
target() {
	local row
	row=$(grep "^$1 " <<<"$static_targets") || {
		echo "build: no target '$1'; there are:" $(awk '{print $1}' <<<"$static_targets") >&2
		return 2
	}
	read -r _ triplet musl_dir openssl_target emulator <<<"$row"
	cc=$triplet-gcc
}

# Small code; each function in a section of its own, so that the linker leaves out what
# nobody calls. Static-PIE, so that addresses stay random on the router, too.
static_cflags="-Os -g0 -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong \
-fno-unwind-tables -fno-asynchronous-unwind-tables -fmerge-all-constants"

# write_compiler ROOT: ROOT/bin/musl-cc, a gcc whose only libc is ROOT/usr/lib/libc.a.
# What differs from one checkout to the next (the folder) is kept out of the objects.
write_compiler() {
	local root=$1 usr=$1/usr
	mkdir -p "$root/bin"
	cat >"$root/musl.specs" <<-S
	%rename cpp_options old_cpp_options

	*cpp_options:
	-nostdinc -isystem $usr/include -isystem include%s %(old_cpp_options)

	*cc1:
	%(cc1_cpu) -nostdinc -isystem $usr/include -isystem include%s

	*link_libgcc:
	-L$usr/lib -L .%s

	*libgcc:
	--start-group libgcc.a%s -lc --end-group

	*startfile:
	$usr/lib/rcrt1.o $usr/lib/crti.o crtbeginS.o%s

	*endfile:
	crtendS.o%s $usr/lib/crtn.o

	*link:
	-static -pie --no-dynamic-linker -z text -z relro -z now -z noexecstack --gc-sections --build-id=none

	S
	cat >"$root/bin/musl-cc" <<-S
	#!/bin/sh
	exec $cc -specs=$root/musl.specs \${STATIC_TREE:+-ffile-prefix-map=\$STATIC_TREE=.} "\$@"
	S
	chmod 755 "$root/bin/musl-cc"
}
