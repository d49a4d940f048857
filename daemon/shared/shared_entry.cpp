// Whoever has the keys is trusted with tokens, but not with this process: what opens is still read as
// strictly as what a stranger sent.
#include "daemon/shared/shared_entry.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "common/ascii.hpp"
#include "common/token_page.hpp"
#include "daemon/crypto/sealed_box.hpp"

namespace grantd::daemon {

namespace {

using std::chrono::milliseconds;

constexpr char entry_version = 1;
constexpr milliseconds longest_life = std::chrono::hours{24} * 366;

// Numbers are big-endian, texts have their length before them.
void append_number(common::Secret& into, std::uint64_t number, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) {
    const char byte = static_cast<char>(number >> (8 * i) & 0xff);
    into.append({&byte, 1});
  }
}

std::optional<std::uint64_t> take_number(std::string_view& from, std::size_t bytes) {
  if (from.size() < bytes) return std::nullopt;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) number = number << 8 | static_cast<unsigned char>(from[i]);
  from.remove_prefix(bytes);
  return number;
}

std::optional<std::string_view> take_text(std::string_view& from) {
  const auto size = take_number(from, 4);
  if (!size || *size > from.size()) return std::nullopt;
  const auto text = from.substr(0, *size);
  from.remove_prefix(*size);
  return text;
}

std::string associated_data(std::string_view name) { return std::string{entry_version}.append(name); }

}  // namespace

common::Secret encode_entry(const SharedEntry& entry) {
  common::Secret plain;
  const auto issued = std::chrono::floor<milliseconds>(entry.issued.time_since_epoch());
  append_number(plain, static_cast<std::uint64_t>(issued.count()), 8);
  append_number(plain, static_cast<std::uint64_t>(entry.lifetime.count()), 8);
  append_number(plain, static_cast<std::uint64_t>(entry.type), 1);
  for (const auto text : {entry.access_token.reveal(), std::string_view{entry.scope}}) {
    append_number(plain, text.size(), 4);
    plain.append(text);
  }
  return plain;
}

std::optional<SharedEntry> decode_entry(std::string_view plain) {
  constexpr std::uint64_t latest = std::uint64_t{1} << 43;  // milliseconds: the year 2248
  const auto issued = take_number(plain, 8);
  const auto lifetime = take_number(plain, 8);
  const auto type = take_number(plain, 1);
  const auto token = take_text(plain);
  const auto scope = take_text(plain);
  if (!issued || !lifetime || !type || !token || !scope || !plain.empty()) return std::nullopt;
  if (*issued > latest || *lifetime == 0 || *lifetime > static_cast<std::uint64_t>(longest_life.count()))
    return std::nullopt;
  if (*type > static_cast<std::uint64_t>(TokenType::dpop)) return std::nullopt;
  if (token->empty() || token->size() > token_page::longest_token ||
      !std::ranges::all_of(*token, ascii::is_visible) || !std::ranges::all_of(*scope, ascii::is_printable))
    return std::nullopt;
  return SharedEntry{.issued = common::WallTime{milliseconds{*issued}},
                     .lifetime = milliseconds{*lifetime},
                     .type = static_cast<TokenType>(*type),
                     .access_token = common::Secret{*token},
                     .scope = std::string{*scope}};
}

std::optional<std::string> seal_entry(const SharedEntry& entry, const SealingKey& key, std::string_view name,
                                      common::Entropy& entropy) {
  const common::Secret plain = encode_entry(entry);
  if (1 + seal_nonce_size + plain.size() + seal_tag_size > largest_entry) return std::nullopt;
  std::array<std::byte, seal_nonce_size> nonce{};
  entropy.fill(nonce);
  const std::string_view nonce_text{reinterpret_cast<const char*>(nonce.data()), nonce.size()};
  return entry_version + seal(key.seal_key, nonce_text, associated_data(name), plain.reveal());
}

std::expected<SharedEntry, std::string_view> open_entry(std::string_view sealed, const SealingKey& key,
                                                        std::string_view name) {
  if (sealed.empty() || sealed.front() != entry_version) return std::unexpected{"version"};
  const auto plain = open_sealed(key.seal_key, associated_data(name), sealed.substr(1));
  if (!plain) return std::unexpected{"seal"};
  auto entry = decode_entry(plain->reveal());
  if (!entry) return std::unexpected{"form"};
  return *std::move(entry);
}

}  // namespace grantd::daemon
