# The role `web`; daemon/CMakeLists.txt and tests/daemon_web.cmake take the list from here.
set(WEB_SOURCES web.c web_api.c web_attest.c web_disk.c web_form.c web_http.c web_jobs.c web_judge.c web_log.c web_log_text.c web_papers.c web_upgrade.c web_json.c web_address.c web_secure.c web_setup.c web_sign.c web_text.c web_trace.c trace.c)
list(TRANSFORM WEB_SOURCES PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
