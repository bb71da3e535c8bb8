# Build keys, grants, announcements.
hf_unit(unit_keystore_grant SOURCES unit_keystore_grant.c LIBS hf_support hf_keystore)
hf_unit(unit_keystore_announce SOURCES unit_keystore_announce.c LIBS hf_support hf_announce)
# Grants against a second implementation in Python, both ways.
add_executable(grant_run grant_run.c)
target_link_libraries(grant_run PRIVATE hf_keystore)
add_test(NAME keystore_grant_model COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/grant_run.py $<TARGET_FILE:grant_run>)

hf_fuzz(grant LIBS hf_keystore REACH grant.opened)
hf_fuzz(announce LIBS hf_announce REACH announce.unknown)
