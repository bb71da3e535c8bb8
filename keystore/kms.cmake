# hf_aws names keys, what can be wrong with them, and signs requests: pure, linked by all three programs.
# hf_evidence judges what KMS says about a key (jansson): fetch, and the command line.
# hf_kms talks to KMS over descriptors handed in: the daemon's fetch role alone.
set(K ${CMAKE_CURRENT_LIST_DIR})
add_library(hf_aws STATIC ${K}/arn.c ${K}/sigv4.c ${K}/key_finding.c)
target_link_libraries(hf_aws PUBLIC hf_core)
add_library(hf_evidence STATIC ${K}/json.c ${K}/key_policy.c ${K}/key_evidence.c ${K}/key_evidence_json.c)
target_link_libraries(hf_evidence PUBLIC hf_core hf_aws PRIVATE PkgConfig::JANSSON)
add_library(hf_kms STATIC ${K}/kms.c ${K}/kms_parse.c ${K}/kms_gather.c ${K}/creds.c ${K}/http.c ${K}/connect.c)
target_link_libraries(hf_kms PUBLIC hf_core hf_aws hf_evidence PRIVATE PkgConfig::CURL PkgConfig::JANSSON)
