# hf_aws names keys and signs requests: pure, linked by all three programs.
# hf_kms talks to KMS over descriptors handed in: the daemon's fetch role alone.
add_library(hf_aws STATIC ${CMAKE_CURRENT_LIST_DIR}/arn.c ${CMAKE_CURRENT_LIST_DIR}/sigv4.c)
target_link_libraries(hf_aws PUBLIC hf_core)
add_library(hf_kms STATIC ${CMAKE_CURRENT_LIST_DIR}/kms.c ${CMAKE_CURRENT_LIST_DIR}/kms_parse.c ${CMAKE_CURRENT_LIST_DIR}/creds.c
  ${CMAKE_CURRENT_LIST_DIR}/http.c ${CMAKE_CURRENT_LIST_DIR}/connect.c ${CMAKE_CURRENT_LIST_DIR}/json.c)
target_link_libraries(hf_kms PUBLIC hf_core hf_aws PRIVATE PkgConfig::CURL PkgConfig::JANSSON)
