# What every target shares: language level, warnings, sanitizers, libraries.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(libs libuv yaml-0.1 json-c libcbor libmosquitto sqlite3 libcurl libcrypto libssl libcap libseccomp)
if(NOT HATANG_AGENT_ONLY)
  list(APPEND libs libmicrohttpd libsodium libsystemd libzstd)
endif()
foreach(lib IN LISTS libs)
  string(MAKE_C_IDENTIFIER ${lib} id)
  pkg_check_modules(${id} REQUIRED IMPORTED_TARGET ${lib})
endforeach()
if(HATANG_TESTS)
  pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
endif()
pkg_check_modules(libpcap REQUIRED IMPORTED_TARGET libpcap)
pkg_check_modules(netsnmp REQUIRED IMPORTED_TARGET netsnmp)
pkg_check_modules(ldns REQUIRED IMPORTED_TARGET ldns)

# hatang_flags: the one place where compiler flags are written.
add_library(hatang_flags INTERFACE)
target_compile_features(hatang_flags INTERFACE c_std_11)
target_compile_definitions(hatang_flags INTERFACE
  _GNU_SOURCE HATANG_VERSION="${PROJECT_VERSION}")
target_include_directories(hatang_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(hatang_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wpointer-arith -Wformat=2 -Wno-unused-parameter -Wno-missing-field-initializers
  -fvisibility=hidden -fno-common -fstack-protector-strong
  $<$<BOOL:${HATANG_WERROR}>:-Werror>
  $<$<CONFIG:RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
if(HATANG_SANITIZE)
  target_compile_options(hatang_flags INTERFACE
    -fsanitize=${HATANG_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(hatang_flags INTERFACE -fsanitize=${HATANG_SANITIZE})
endif()
if(HATANG_FUZZ)
  # Coverage for the fuzzer everywhere; its main() only in the fuzz targets.
  target_compile_options(hatang_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(hatang_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# hatang_test(NAME file… LIBS lib…): one cmocka program, one ctest entry. One that returns 77
# could not test anything here, and is counted as skipped.
function(hatang_test name)
  cmake_parse_arguments(T "" "" "LIBS" ${ARGN})
  add_executable(test_${name} ${T_UNPARSED_ARGUMENTS})
  target_link_libraries(test_${name} PRIVATE hatang_flags ${T_LIBS} PkgConfig::cmocka)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  add_test(NAME unit.${name} COMMAND test_${name}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77)
  if(CMAKE_CROSSCOMPILING_EMULATOR)
    target_compile_definitions(test_${name} PRIVATE HT_TESTS_EMULATED)
  endif()
  if(CMAKE_CROSSCOMPILING_EMULATOR AND name IN_LIST HATANG_NOT_EMULATED)
    set_tests_properties(unit.${name} PROPERTIES DISABLED TRUE)
  endif()
endfunction()

# hatang_fuzz(NAME file LIBS lib…): a libFuzzer target, only with -DHATANG_FUZZ=ON;
# the target "fuzzers" builds them all and nothing else.
if(HATANG_FUZZ)
  add_custom_target(fuzzers)
endif()
function(hatang_fuzz name)
  if(NOT HATANG_FUZZ)
    return()
  endif()
  cmake_parse_arguments(T "" "" "LIBS" ${ARGN})
  add_executable(fuzz_${name} ${T_UNPARSED_ARGUMENTS})
  target_link_libraries(fuzz_${name} PRIVATE hatang_flags ${T_LIBS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers fuzz_${name})
endfunction()
