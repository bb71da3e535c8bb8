# Tests of parent/.
hf_unit(unit_parent_store SOURCES unit_parent_store.c LIBS hf_parent hf_support
  WRAP write fsync flock mkdirat unlinkat renameat renameat2 openat)
hf_unit(unit_parent_session SOURCES unit_parent_session.c LIBS hf_parent hf_seal hf_support)
hf_unit(unit_parent_config SOURCES unit_parent_config.c LIBS hf_parent hf_support)
hf_unit(unit_parent_prune SOURCES unit_parent_prune.c LIBS hf_parent hf_support)
hf_unit(fault_parent SOURCES fault_parent.c LIBS hf_parent hf_faults WRAP ${HF_FAULT_WRAP})

add_test(NAME system_parent COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/system/test_parent.py $<TARGET_FILE:holdfast>)
set_tests_properties(system_parent PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 180 ENVIRONMENT "HOLDFAST_SOURCE=${PROJECT_SOURCE_DIR}")

hf_fuzz(link LIBS hf_parent REACH link.head link.list link.egress)
hf_fuzz(egress LIBS hf_parent)
