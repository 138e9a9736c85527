// Greets whoever the input names; its last line is the result.
#include <cstdlib>
#include <iostream>
#include <string>

#include "greeting.h"

int main() {
  const char *input = std::getenv("PAYLOAD");
  const std::string name = name_in(input ? input : "null");
  std::cout << "compiled once, then only started\n";
  std::cout << "{\"message\": \"Hello, " << name << "!\"}\n";
}
