package main

import (
	"encoding/base64"
	"errors"
	"os"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/internal/prose"
)

// errKubeconfig does not quote its input: that may be a kubeconfig with a mistake,
// including its token.
var errKubeconfig = errors.New("it is neither the name of a file that exists nor a kubeconfig, as YAML or JSON, plain or in base64 (what " +
	"was given is not shown)")

// readKubeconfig distinguishes the two forms of a kubeconfig: the name of a file, or the
// content of one.
func readKubeconfig(given string) (file string, content []byte, err error) {
	given = strings.TrimSpace(given)
	if len(given) < 4096 && !strings.ContainsAny(given, "\n{\x00") {
		if _, err := os.Stat(given); err == nil {
			return given, nil, nil
		}
	}
	if isKubeconfig([]byte(given)) {
		return "", []byte(given), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(given), ""))
	if err == nil && isKubeconfig(decoded) {
		return "", decoded, nil
	}
	return "", nil, errKubeconfig
}

func isKubeconfig(text []byte) bool {
	config, err := clientcmd.Load(text)
	return err == nil && (len(config.Clusters) > 0 || len(config.Contexts) > 0 || len(config.AuthInfos) > 0)
}

// loadKubeconfig parses content that [readKubeconfig] recognised.
func loadKubeconfig(content []byte) (*clientcmdapi.Config, error) {
	config, err := clientcmd.Load(content)
	if err != nil {
		return nil, errKubeconfig
	}
	return config, nil
}

// withoutSecrets removes the content of users from an error about a kubeconfig. An error of
// client-go names what it cannot read, which is a token if somebody wrote one in place of a
// file name.
func withoutSecrets(err error, content []byte) error {
	if err == nil || content == nil {
		return err
	}
	var config struct {
		Users any `json:"users"`
	}
	if yaml.Unmarshal(content, &config) != nil {
		return errKubeconfig
	}
	said, held := err.Error(), texts(config.Users)
	slices.SortFunc(held, func(a, b string) int { return len(b) - len(a) })
	for _, text := range held {
		if len(text) >= 4 {
			said = strings.ReplaceAll(said, text, prose.Masked)
		}
	}
	return errors.New(prose.Mask(said))
}

// texts are the string values in a YAML value, without its keys.
func texts(value any) []string {
	var all []string
	switch v := value.(type) {
	case string:
		all = append(append(all, v, strings.TrimSpace(v)), strings.Fields(v)...)
	case []any:
		for _, one := range v {
			all = append(all, texts(one)...)
		}
	case map[string]any:
		for _, one := range v {
			all = append(all, texts(one)...)
		}
	}
	return all
}
