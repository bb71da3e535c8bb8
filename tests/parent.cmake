# Tests of parent/.
hf_unit(unit_parent_store SOURCES unit_parent_store.c LIBS hf_parent hf_support
  WRAP write fsync flock mkdirat unlinkat renameat renameat2 openat)
hf_unit(unit_parent_session SOURCES unit_parent_session.c session_case.c LIBS hf_store_double hf_seal hf_support)
hf_unit(unit_parent_session_witness SOURCES unit_parent_session_witness.c session_case.c LIBS hf_parent hf_support)
if(TARGET hf_seal_rig)
  hf_unit(unit_parent_seal SOURCES unit_parent_seal.c LIBS hf_parent hf_seal_rig hf_support)
endif()
# A log that signs, and witnesses that misbehave.
add_library(hf_log_case STATIC log_case.c segment_case.c fake_witness.c)
target_link_libraries(hf_log_case PUBLIC hf_parent hf_support PRIVATE PkgConfig::CRYPTO)
hf_unit(unit_parent_chain SOURCES unit_parent_chain.c LIBS hf_store_double hf_log_case hf_support)
hf_unit(unit_parent_log_store SOURCES unit_parent_log_store.c LIBS hf_parent hf_log_case hf_support)
hf_unit(unit_parent_anchors SOURCES unit_parent_anchors.c LIBS hf_parent hf_log_case hf_support)
hf_unit(unit_parent_anchor SOURCES unit_parent_anchor.c LIBS hf_parent hf_log_case hf_support)
hf_unit(unit_parent_life SOURCES unit_parent_life.c LIBS hf_life hf_policy_case hf_support)
hf_unit(unit_parent_config SOURCES unit_parent_config.c LIBS hf_parent hf_support)
hf_unit(unit_parent_s3 SOURCES unit_parent_s3.c LIBS hf_parent hf_support)
hf_unit(unit_parent_many SOURCES unit_parent_many.c LIBS hf_store_double hf_support)
hf_unit(unit_parent_prune SOURCES unit_parent_prune.c LIBS hf_parent hf_support)
hf_unit(crash_parent_store SOURCES crash_parent_store.c LIBS hf_parent hf_seal_rig WRAP openat write fsync renameat renameat2 unlinkat TIMEOUT 300)
hf_unit(fault_parent SOURCES fault_parent.c LIBS hf_store_double hf_faults WRAP ${HF_FAULT_WRAP})

foreach(part parent holdfast)
  add_test(NAME system_${part} COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/tests/system/test_${part}.py $<TARGET_FILE:holdfast>)
  set_tests_properties(system_${part} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 180 ENVIRONMENT "HOLDFAST_SOURCE=${PROJECT_SOURCE_DIR}")
endforeach()

# Against a real S3 server, which npm brings.
add_test(NAME system_s3 COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/tests/system/test_s3.py $<TARGET_FILE:holdfast>)
set_tests_properties(system_s3 PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 LABELS native
  ENVIRONMENT "HOLDFAST_SOURCE=${PROJECT_SOURCE_DIR};HOLDFAST_BUILD=${PROJECT_BINARY_DIR}")

# Images against a model of the format; documents against the published ones.
foreach(part eif verify witness log_offline log_online)
  add_test(NAME system_${part} COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/tests/system/test_${part}.py $<TARGET_FILE:holdfast>)
  set_tests_properties(system_${part} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 180
    ENVIRONMENT "HOLDFAST_SOURCE=${PROJECT_SOURCE_DIR};HOLDFAST_VECTORS_DIR=${HOLDFAST_VECTORS_DEFAULT}")
endforeach()

hf_fuzz(link LIBS hf_store_double REACH link.head link.list link.egress link.anchor link.log_read link.log_prove)
hf_fuzz(egress LIBS hf_parent)
hf_fuzz(anchor LIBS hf_anchor REACH anchor.ahead anchor.behind)
hf_fuzz(life LIBS hf_life REACH life.boot life.rollback life.policy)
