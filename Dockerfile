# syntax=docker/dockerfile:1
# The image of `turnout serve`, and of action.yml. It names no user, because a
# step of a workflow must run as root: the runner owns the files by which it is
# spoken to (GitHub docs, "Dockerfile support for GitHub Actions"). In a cluster
# config/serve/deployment.yaml names one.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api api
COPY bot bot
COPY cmd cmd
COPY config config
COPY deployer deployer
COPY internal internal
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /turnout ./cmd/turnout

FROM gcr.io/distroless/static:latest
COPY --from=build /turnout /turnout
ENTRYPOINT ["/turnout"]
CMD ["serve"]
