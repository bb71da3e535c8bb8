# Tests of the role `web`. The role alone, in its sandbox, with all peers played by web_peer.
if(TARGET hf_script)
  include(${PROJECT_SOURCE_DIR}/daemon/web.cmake)
  set(HF_WEB_JSON ${PROJECT_SOURCE_DIR}/daemon/web_json.c ${PROJECT_SOURCE_DIR}/daemon/web_address.c ${PROJECT_SOURCE_DIR}/daemon/web_setup.c
    ${PROJECT_SOURCE_DIR}/daemon/web_sign.c ${PROJECT_SOURCE_DIR}/daemon/web_form.c ${PROJECT_SOURCE_DIR}/daemon/web_text.c ${PROJECT_SOURCE_DIR}/daemon/web_log_text.c
    ${PROJECT_SOURCE_DIR}/daemon/wire.c ${PROJECT_SOURCE_DIR}/signer/emulate_request.c)
  set(HF_WEB_LIBS hf_rules hf_policy hf_script hf_address hf_channel hf_aws hf_core PkgConfig::JANSSON)

  add_executable(web_peer support/web_peer.c support/web_secure_peer.c support/web_log_peer.c support/web_trial_peer.c ${WEB_SOURCES} ${PROJECT_SOURCE_DIR}/daemon/wire.c
    ${PROJECT_SOURCE_DIR}/daemon/calls.c ${PROJECT_SOURCE_DIR}/signer/emulate_request.c)
  target_link_libraries(web_peer PRIVATE hf_secret ${HF_WEB_LIBS} PkgConfig::MHD)
  foreach(part api json http secure)
    add_test(NAME web_${part} COMMAND ${Python3_EXECUTABLE} -W ignore::ResourceWarning
      ${PROJECT_SOURCE_DIR}/tests/system/test_web_${part}.py $<TARGET_FILE:web_peer>)
    set_tests_properties(web_${part} PROPERTIES TIMEOUT 300)
  endforeach()

  hf_unit(unit_daemon_trace SOURCES unit_daemon_trace.c script_case.c vector_text.c ${PROJECT_SOURCE_DIR}/daemon/trace.c ${PROJECT_SOURCE_DIR}/daemon/web_trace.c
    LIBS hf_script hf_faults hf_support PkgConfig::SECP PkgConfig::JANSSON m WRAP ${HF_FAULT_WRAP})
  hf_unit(unit_daemon_web_json SOURCES unit_daemon_web_json.c ${HF_WEB_JSON}
    LIBS hf_faults hf_support ${HF_WEB_LIBS} WRAP ${HF_FAULT_WRAP})
  hf_fuzz(trace SOURCES ${PROJECT_SOURCE_DIR}/daemon/trace.c ${PROJECT_SOURCE_DIR}/daemon/web_trace.c LIBS hf_script PkgConfig::JANSSON REACH trace.cut)
  hf_fuzz(json SOURCES ${HF_WEB_JSON} LIBS ${HF_WEB_LIBS} REACH json.roots json.setup json.headers json.address json.bound json.recovery json.psbt json.hex json.input)
endif()
