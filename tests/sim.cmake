# The simulator as running programs, against a second client and the openssl program.
add_test(NAME system_sim COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/system/test_sim.py)
set_tests_properties(system_sim PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 180
  ENVIRONMENT "HOLDFAST_SOURCE=${PROJECT_SOURCE_DIR};HOLDFAST_BUILD=${PROJECT_BINARY_DIR};HOLDFAST_VECTORS_DIR=${HOLDFAST_VECTORS_DEFAULT}")
# The same under AWS's own client for JavaScript, which npm brings.
add_test(NAME sim_conformance COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/tests/system/test_conformance.py)
set_tests_properties(sim_conformance PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300 LABELS native
  ENVIRONMENT "HOLDFAST_SOURCE=${PROJECT_SOURCE_DIR};HOLDFAST_BUILD=${PROJECT_BINARY_DIR};HOLDFAST_VECTORS_DIR=${HOLDFAST_VECTORS_DEFAULT}")
