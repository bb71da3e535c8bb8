# The simulated KMS and metadata service, and holdfast-sim: every service in one program.
set(here ${CMAKE_CURRENT_LIST_DIR})
add_library(hf_sim_serve STATIC ${here}/serve.c ${here}/files.c)
target_link_libraries(hf_sim_serve PUBLIC hf_core PRIVATE PkgConfig::MHD)
add_library(hf_sim_kms STATIC ${here}/kms.c ${here}/kms_auth.c ${here}/kms_blob.c ${here}/kms_call.c ${here}/kms_cms.c ${here}/kms_ec.c
  ${here}/kms_grants.c ${here}/kms_key.c ${here}/kms_keys.c ${here}/kms_misbehave.c ${here}/kms_ops.c ${here}/kms_policy.c
  ${here}/kms_secrets.c ${here}/kms_tls.c)
target_link_libraries(hf_sim_kms PUBLIC hf_sim_serve hf_sim_nsm hf_aws hf_attest PkgConfig::JANSSON PkgConfig::CRYPTO)
add_library(hf_sim_imds STATIC ${here}/imds.c)
target_link_libraries(hf_sim_imds PUBLIC hf_sim_serve PkgConfig::JANSSON)
add_executable(holdfast-sim ${here}/main.c)
target_link_libraries(holdfast-sim PRIVATE hf_sim_kms hf_sim_imds hf_sim_nsm)
