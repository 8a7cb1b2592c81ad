package gate

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Header sends a check's request to a pod and returns one header of the answer, whatever the
// answer's status. The Host is the one that users request. Through the API server it is left out,
// since the API server would act on it itself.
func (a Access) Header(ctx context.Context, check v1alpha1.HTTPCheck, host string, pod track.Pod, name string,
	timeout time.Duration,
) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if a.proxy == nil {
		headers := map[string]string{"Host": host}
		maps.Copy(headers, check.Headers)
		check.Headers = headers
	}
	r := request{HTTPCheck: check}
	q, err := a.request(ctx, r, pod)
	if err != nil {
		return "", err
	}
	answer, err := a.client.Do(q)
	if err != nil {
		return "", fmt.Errorf("%s of pod %s: %w", r, pod.Name, err)
	}
	defer answer.Body.Close()
	return answer.Header.Get(name), nil
}
