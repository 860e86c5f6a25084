module vectors

go 1.26

require (
	github.com/Masterminds/semver/v3 v3.4.0
	github.com/google/go-containerregistry v0.21.9
)

require (
	github.com/bmatcuk/doublestar/v4 v4.10.0 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
)
