// [cache] is held against the schema now, so that what is written today is right when the shared cache comes.
#include "config/definition_parts.hpp"
#include "config/keys.hpp"
#include "config/schema.hpp"
#include "config/url.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace {

void expect_at_most_one(const TableReader& reader, std::string_view a, std::string_view b) {
  if (reader.has(a) && reader.has(b)) {
    reader.fail(b, "expected either " + std::string{a} + " or " + std::string{b} + ", not both");
  }
}

}  // namespace

void refuse_cache(const Node& table, Problems& problems) {
  if (!expect_table(table, "cache", problems)) return;
  const TableReader reader{table, "cache", cache_keys, problems};
  reader.reject_unknown();
  reader.value("shared", text(parse_redis_url));
  reader.value("password_file", text(parse_absolute_path));
  reader.value("password_credential", text(parse_credential_name));
  reader.value("key_file", text(parse_absolute_path));
  reader.value("key_credential", text(parse_credential_name));
  reader.value("prefix", text(parse_printable));
  reader.value("timeout", text(parse_duration));
  expect_at_most_one(reader, "password_file", "password_credential");
  expect_at_most_one(reader, "key_file", "key_credential");
  if (reader.has("shared") && !reader.has("key_file") && !reader.has("key_credential")) {
    reader.fail("key_file", "required with shared: key_file or key_credential");
  }
  problems.add(table.key_position, "cache", "this table is not supported yet by this version of grantd");
}

}  // namespace grantd::config
