# The static agent's toolchain, for packaging/static/build: musl by Debian's cross gcc, and
# the libraries that were built with it. Needs HATANG_STATIC_ROOT (its folder of musl and
# libraries), HATANG_STATIC_TRIPLET and HATANG_STATIC_FLAGS.
set(CMAKE_SYSTEM_NAME Linux)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES
  HATANG_STATIC_ROOT HATANG_STATIC_TRIPLET HATANG_STATIC_FLAGS HATANG_STATIC_EMULATOR)

string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${HATANG_STATIC_TRIPLET}")
set(CMAKE_C_COMPILER "${HATANG_STATIC_ROOT}/bin/musl-cc")
foreach(tool IN ITEMS AR RANLIB STRIP)
  string(TOLOWER ${tool} name)
  find_program(CMAKE_${tool} "${HATANG_STATIC_TRIPLET}-${name}" REQUIRED)
endforeach()
# musl's headers agree with the kernel's when they come first; glibc does not care, so that
# the code's own order is another.
set(musl_first "-include netinet/in.h -include net/if.h -include netinet/if_ether.h")
# Other optimisations give other warnings; these are what differs between C libraries.
set(errors "-Werror=implicit-function-declaration -Werror=incompatible-pointer-types -Werror=overflow")
set(CMAKE_C_FLAGS_INIT "${HATANG_STATIC_FLAGS} ${errors} -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. ${musl_first}")

set(CMAKE_CROSSCOMPILING_EMULATOR "${HATANG_STATIC_EMULATOR}")
# Unit tests that ask the kernel for what qemu-user does not pass on: seccomp filters, its own
# /proc (agent_monitor); what a socket dropped (echo, reach); error queues (path); or for the
# speed of a processor (fleets of devices). All of them pass on amd64, which needs no emulator.
set(HATANG_NOT_EMULATED agent_monitor probes_echo probes_path probes_reach probes_snmp_device probes_snmp_fleet)

# Libraries and headers are found there and nowhere else.
set(CMAKE_FIND_ROOT_PATH "${HATANG_STATIC_ROOT}")
foreach(kind IN ITEMS LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(ENV{PKG_CONFIG_LIBDIR} "${HATANG_STATIC_ROOT}/usr/lib/pkgconfig")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${HATANG_STATIC_ROOT}")
set(PKG_CONFIG_ARGN --static)
