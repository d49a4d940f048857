// hiredis reads and writes the protocol, and makes our own objects of what it reads: none of the commands
// here has an array for an answer, so none is ever made, however long a stranger says it is.
#include "daemon/shared/redis_reply.hpp"

#include <hiredis/hiredis.h>
#include <string.h>

#include <algorithm>
#include <new>
#include <vector>

#include "common/ascii.hpp"

namespace grantd::daemon {

namespace {

using ReplyKind = RedisReply::Kind;

// The text of an error may repeat what was sent.
std::string error_code_of(std::string_view text) {
  constexpr std::size_t longest_code = 32;
  const auto word = text.substr(0, text.find(' '));
  const auto allowed = [](char c) { return ascii::is_alphanumeric(c) || c == '_'; };
  if (word.empty() || word.size() > longest_code || !std::ranges::all_of(word, allowed)) return "ERR";
  return std::string{word};
}

void* make_text(const redisReadTask* task, char* text, std::size_t size) {
  const std::string_view found{text, size};
  switch (task->type) {
    case REDIS_REPLY_STRING:
      return new RedisReply{.kind = ReplyKind::text, .text = std::string{found}};
    case REDIS_REPLY_STATUS:
      return new RedisReply{.kind = ReplyKind::status, .text = std::string{found}};
    case REDIS_REPLY_ERROR:
      return new RedisReply{.kind = ReplyKind::error, .text = error_code_of(found)};
    default:
      return nullptr;
  }
}

// What hiredis calls depends on its version; null ends the reading.
redisReplyObjectFunctions make_functions() {
  const auto configure = [](auto functions) {
    functions.createString = make_text;
    functions.createArray = [](const redisReadTask*, auto) -> void* { return nullptr; };
    functions.createInteger = [](const redisReadTask*, long long number) -> void* {
      return new RedisReply{.kind = ReplyKind::number, .number = number};
    };
    functions.createNil = [](const redisReadTask*) -> void* { return new RedisReply{}; };
    functions.freeObject = [](void* reply) { delete static_cast<RedisReply*>(reply); };
    if constexpr (requires { functions.createDouble; })
      functions.createDouble = [](const redisReadTask*, double, char*, std::size_t) -> void* {
        return nullptr;
      };
    if constexpr (requires { functions.createBool; })
      functions.createBool = [](const redisReadTask*, int) -> void* { return nullptr; };
    return functions;
  };
  return configure(redisReplyObjectFunctions{});
}

redisReplyObjectFunctions functions = make_functions();

}  // namespace

void RedisReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisReader::RedisReader() : reader_(redisReaderCreateWithFunctions(&functions)) {
  if (!reader_) throw std::bad_alloc{};
}

bool RedisReader::feed(std::span<const char> bytes) {
  pending_ += bytes.size();
  return pending_ <= largest_reply && redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) == REDIS_OK;
}

std::expected<std::optional<RedisReply>, std::monostate> RedisReader::next() {
  void* object = nullptr;
  if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) return std::unexpected{std::monostate{}};
  if (object == nullptr) return std::nullopt;
  const std::unique_ptr<RedisReply> reply{static_cast<RedisReply*>(object)};
  pending_ = reader_->len - reader_->pos;
  return std::optional{std::move(*reply)};
}

common::Secret redis_command(std::span<const std::string_view> words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* formatted = nullptr;
  const auto size =
      redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), texts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc{};
  const auto length = static_cast<std::size_t>(size);
  common::Secret command{{formatted, length}};
  ::explicit_bzero(formatted, length);
  redisFreeCommand(formatted);
  return command;
}

}  // namespace grantd::daemon
