#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/interpret.hpp"

namespace grantd::tests {

/// A client that is right, in four lines.
inline constexpr std::string_view good_client =
    "[clients.c]\n"
    "token_endpoint = 'https://auth.example.com/token'\n"
    "client_id = 'id'\n"
    "client_secret_file = '/secret'\n";

/// An API that is right, and its client; the API comes last and is open for further keys.
inline std::string good_api() {
  return std::string{good_client} + "[apis.a]\nclient = 'c'\nbase_url = 'https://api.example.com'\n";
}

inline config::SourceFile source(std::string path, std::string_view text) {
  return {.path = std::move(path), .text = common::Secret{text}, .access = {}};
}

inline config::SourceFiles sources(std::string_view text) {
  config::SourceFiles all;
  all.files.push_back(source("grantd.toml", text));
  return all;
}

/// The settings of a text that must be right.
inline config::Settings settings_of(std::string_view text) {
  auto settings = config::interpret(sources(text));
  if (!settings) {
    for (const auto& error : settings.error()) MESSAGE(error.text());
  }
  REQUIRE(settings.has_value());
  return *std::move(settings);
}

inline std::vector<config::ConfigError> errors_of(std::string_view text) {
  auto settings = config::interpret(sources(text));
  return settings ? std::vector<config::ConfigError>{} : std::move(settings.error());
}

/// Everything an error run prints, a line an error.
inline std::string report_of(std::string_view text) {
  std::string report;
  for (const auto& error : errors_of(text)) report.append(error.text()).append("\n");
  return report;
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// A line that is wrong in its table, the key that is to blame and a part of the message.
struct WrongLine {
  std::string_view line;
  std::string_view key;
  std::string_view message;
};

/// Whether `before` with the line after it has exactly this one error, in that line.
inline void check_wrong(std::string_view before, const WrongLine& wrong) {
  const auto errors = errors_of(std::string{before}.append(wrong.line).append("\n"));
  CAPTURE(wrong.line);
  REQUIRE(errors.size() == 1);
  CAPTURE(errors.front().text());
  CHECK(errors.front().key == wrong.key);
  CHECK(contains(errors.front().message, wrong.message));
  CHECK(errors.front().line == static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1);
}

}  // namespace grantd::tests
