// Greets whoever the input names; its last line is the result.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	input := struct {
		Name string `json:"name"`
	}{Name: "world"}
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		fmt.Fprintln(os.Stderr, "the input is not an object with a name:", err)
		os.Exit(1)
	}
	fmt.Println("compiled once, then only started")
	result, _ := json.Marshal(map[string]string{"message": "Hello, " + input.Name + "!"})
	fmt.Println(string(result))
}
