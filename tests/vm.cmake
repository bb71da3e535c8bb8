# The emulated machine (tests/vm/vm.py): the system with its own kernel, LUKS2 and vsock. Label `vm`.
function(hf_vm name)
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/tests/vm/test_vm.py ${ARGN})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 400 RUN_SERIAL TRUE LABELS "vm;native"
    ENVIRONMENT "HOLDFAST_SOURCE=${PROJECT_SOURCE_DIR};HOLDFAST_BUILD=${PROJECT_BINARY_DIR}")
endfunction()
hf_vm(vm_main_job main_job auto)
hf_vm(vm_main_job_loop main_job loop)
add_executable(luks_drive vm/luks_drive.c)
target_link_libraries(luks_drive PRIVATE hf_luks)
hf_vm(vm_luks luks)
