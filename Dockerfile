# syntax=docker/dockerfile:1
# The image of `turnout serve`, and of action.yml. It names no user, because a
# step of a workflow must run as root: the runner owns the files with which it
# talks to the step (GitHub docs, "Dockerfile support for GitHub Actions"). In a
# cluster, config/serve/deployment.yaml sets the user.
# GO_IMAGE: a release names it by digest (.github/workflows/release.yml).
ARG GO_IMAGE=golang:1.26
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY app.yml app.yml
COPY manifest.go manifest.go
COPY api api
COPY bot bot
COPY cmd cmd
COPY config config
COPY deployer deployer
COPY internal internal
COPY record record
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /turnout ./cmd/turnout

# One static binary and the CA certificates: there is no base image to keep current.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /turnout /turnout
ENTRYPOINT ["/turnout"]
CMD ["serve"]
