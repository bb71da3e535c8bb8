# The simulated Nitro Security Module: sim_nsm_main() of sim.h.
add_library(hf_sim_nsm STATIC ${CMAKE_CURRENT_LIST_DIR}/nsm.c ${CMAKE_CURRENT_LIST_DIR}/bank.c ${CMAKE_CURRENT_LIST_DIR}/pki.c
  ${CMAKE_CURRENT_LIST_DIR}/x509.c)
target_link_libraries(hf_sim_nsm PUBLIC hf_attest hf_core)
