// [cache]: where machines share their tokens, and what the entries are sealed with.
#include "config/definition_parts.hpp"
#include "config/keys.hpp"
#include "config/schema.hpp"
#include "config/url.hpp"
#include "config/values.hpp"

namespace grantd::config {

namespace {

std::optional<SecretSource> read_source(const TableReader& reader, const std::string& base) {
  const std::string file_key = base + "_file";
  const std::string credential_key = base + "_credential";
  auto file = reader.value(file_key, text(parse_absolute_path));
  auto credential = reader.value(credential_key, text(parse_credential_name));
  if (reader.has(file_key) && reader.has(credential_key)) {
    reader.fail(credential_key, "expected either " + file_key + " or " + credential_key + ", not both");
  }
  if (file) return FileSource{.path = *std::move(file)};
  if (credential) return CredentialSource{.name = *std::move(credential)};
  return std::nullopt;
}

}  // namespace

CacheSettings read_cache(const Node& table, Problems& problems) {
  CacheSettings cache;
  if (!expect_table(table, "cache", problems)) return cache;
  const TableReader reader{table, "cache", cache_keys, problems};
  reader.reject_unknown();
  cache.shared = reader.value("shared", text(parse_redis_url));
  cache.password = read_source(reader, "password");
  cache.key = read_source(reader, "key");
  reader.into(cache.prefix, "prefix", text(parse_printable));
  reader.into(cache.timeout, "timeout", text(parse_duration));
  if (reader.has("shared") && !reader.has("key_file") && !reader.has("key_credential")) {
    reader.fail("key_file", "required with shared: key_file or key_credential");
  }
  for (const std::string_view key : {"password_file", "password_credential", "key_file", "key_credential"}) {
    if (reader.has(key) && !reader.has("shared"))
      reader.fail(key, "expected shared beside it: without it nothing is shared");
  }
  if (cache.shared && !cache.shared->user.empty() && !reader.has("password_file") &&
      !reader.has("password_credential")) {
    reader.fail("shared", "expected password_file or password_credential beside it: the user's password");
  }
  return cache;
}

}  // namespace grantd::config
