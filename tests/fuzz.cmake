# Fuzz targets (libFuzzer, clang). How to add one:
#
#  1. Write tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput(). Include
#     tests/fuzz/reach.h and call fuzz_reached("NAME") at the point that an input
#     must get to for the target to be worth anything: behind the parser's last
#     check, not at its first line. More points: fuzz_reached("NAME.other").
#  2. In tests/<area>.cmake:
#        hf_fuzz(NAME LIBS hf_core [SOURCES more.c] [REACH NAME.other …])
#     (a no-op unless HOLDFAST_FUZZ is on; core.cmake includes this file first).
#  3. Give seeds that reach the points: small files in tests/fuzz/seeds/NAME/, or
#     a function in a module tests/fuzz/seeds_<area>.py with
#        SEEDS = { "NAME": function yielding bytes }
#     A dictionary may stand at tests/fuzz/seeds/NAME.dict.
#  4. Build and run:
#        CC=clang cmake -S . -B B -G Ninja -DHOLDFAST_FUZZ=ON -DHOLDFAST_SANITIZE=ON
#        ninja -C B fuzz_targets && tests/fuzz/run B 10 [NAME…]
#     The runner first plays the seeds once and fails if a point was not reached;
#     then it fuzzes. What it finds is kept in B/fuzz/NAME/found/; add it to the
#     seeds when it is fixed, so that it is played for ever after.
include_guard(DIRECTORY)

if(HOLDFAST_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "HOLDFAST_FUZZ needs clang: CC=clang cmake …")
  endif()
  if(NOT HOLDFAST_SANITIZE)
    message(WARNING "fuzzing without -DHOLDFAST_SANITIZE=ON sees only crashes")
  endif()
  add_custom_target(fuzz_targets)
  file(REMOVE_RECURSE ${PROJECT_BINARY_DIR}/fuzz/targets)
endif()

function(hf_fuzz name)
  if(NOT HOLDFAST_FUZZ)
    return()
  endif()
  cmake_parse_arguments(F "" "" "SOURCES;LIBS;REACH" ${ARGN})
  add_executable(fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c ${F_SOURCES})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(fuzz_${name} PRIVATE ${F_LIBS})
  add_dependencies(fuzz_targets fuzz_${name})
  # One file per target tells the runner what must be reached.
  string(REPLACE ";" "\n" points "${name};${F_REACH}")
  file(WRITE ${PROJECT_BINARY_DIR}/fuzz/targets/${name} "${points}\n")
endfunction()
