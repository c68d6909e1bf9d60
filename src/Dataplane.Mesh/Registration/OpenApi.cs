namespace Dataplane.Mesh.Registration;

/// <summary>The description of the registry's interface (OpenAPI 3.1). A test compares its paths and fields with what the server does.</summary>
internal static class OpenApi
{
    public const string Document = """
        {
          "openapi": "3.1.0",
          "info": { "title": "Dataplane mesh registry", "version": "1", "description": "Applications register the endpoints of services, and renew their leases by heartbeats." },
          "security": [ {}, { "word": [] } ],
          "paths": {
            "/v1/services": {
              "get": { "summary": "All that is registered.", "responses": { "200": { "description": "Services and endpoints.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/RegistryListing" } } } } } }
            },
            "/v1/watch": {
              "get": { "summary": "What is registered, and then every change, as lines of JSON until the client leaves.", "parameters": [
                { "name": "instance", "in": "query", "description": "Of the last line that was taken.", "schema": { "type": "string" } },
                { "name": "after", "in": "query", "description": "Revision of the last line that was taken.", "schema": { "type": "integer" } } ],
                "responses": { "200": { "description": "Changes since then; everything when they are not known any more.",
                  "content": { "application/x-ndjson": { "schema": { "$ref": "#/components/schemas/RegistryNews" } } } }, "400": { "$ref": "#/components/responses/Problem" } } }
            },
            "/v1/namespaces/{space}/services/{service}": {
              "parameters": [ { "$ref": "#/components/parameters/space" }, { "$ref": "#/components/parameters/service" } ],
              "put": { "summary": "Defines a service.", "requestBody": { "required": true,
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ServiceRegistration" } } } },
                "responses": { "204": { "description": "Defined." }, "400": { "$ref": "#/components/responses/Problem" } } },
              "delete": { "summary": "Takes a service out; its endpoints stay.",
                "responses": { "204": { "description": "Gone." }, "404": { "$ref": "#/components/responses/Problem" } } }
            },
            "/v1/namespaces/{space}/services/{service}/endpoints/{id}": {
              "parameters": [ { "$ref": "#/components/parameters/space" }, { "$ref": "#/components/parameters/service" }, { "$ref": "#/components/parameters/id" } ],
              "put": { "summary": "Registers an endpoint, changes it, or renews its lease.", "requestBody": { "required": true,
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/EndpointRegistration" } } } },
                "responses": { "200": { "$ref": "#/components/responses/Reply" }, "201": { "$ref": "#/components/responses/Reply" },
                  "400": { "$ref": "#/components/responses/Problem" }, "507": { "$ref": "#/components/responses/Problem" } } },
              "delete": { "summary": "Takes an endpoint out at once.",
                "responses": { "204": { "description": "Gone." }, "404": { "$ref": "#/components/responses/Problem" } } }
            },
            "/v1/namespaces/{space}/services/{service}/endpoints/{id}/heartbeat": {
              "parameters": [ { "$ref": "#/components/parameters/space" }, { "$ref": "#/components/parameters/service" }, { "$ref": "#/components/parameters/id" } ],
              "post": { "summary": "Renews the lease of an endpoint; 404 means: register again.",
                "responses": { "200": { "$ref": "#/components/responses/Reply" }, "404": { "$ref": "#/components/responses/Problem" } } }
            }
          },
          "components": {
            "securitySchemes": { "word": { "type": "http", "scheme": "bearer" } },
            "parameters": {
              "space": { "name": "space", "in": "path", "required": true, "schema": { "type": "string", "maxLength": 63 } },
              "service": { "name": "service", "in": "path", "required": true, "schema": { "type": "string", "maxLength": 63 } },
              "id": { "name": "id", "in": "path", "required": true, "schema": { "type": "string", "maxLength": 128 } }
            },
            "responses": {
              "Reply": { "description": "Registered.", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/RegistrationReply" } } } },
              "Problem": { "description": "Refused.", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/RegistrationProblem" } } } }
            },
            "schemas": {
              "EndpointRegistration": { "type": "object", "additionalProperties": false, "required": [ "address" ], "properties": {
                "address": { "type": "string" }, "ports": { "type": "object", "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 65535 } },
                "weight": { "type": "integer", "minimum": 0, "maximum": 65535, "default": 1 }, "ready": { "type": "boolean", "default": true },
                "labels": { "type": "object", "additionalProperties": { "type": "string" } }, "hostname": { "type": "string" },
                "leaseSeconds": { "type": "integer", "minimum": 1, "maximum": 3600, "default": 15 },
                "servicePorts": { "type": "array", "items": { "$ref": "#/components/schemas/ServicePortRegistration" } } } },
              "ServiceRegistration": { "type": "object", "additionalProperties": false, "properties": {
                "kind": { "enum": [ "cluster_ip", "node_port", "load_balancer", "headless" ], "default": "cluster_ip" },
                "ports": { "type": "array", "items": { "$ref": "#/components/schemas/ServicePortRegistration" } },
                "selector": { "type": "object", "additionalProperties": { "type": "string" } },
                "balance": { "enum": [ "maglev", "round_robin", "weighted" ], "default": "maglev" } } },
              "ServicePortRegistration": { "type": "object", "additionalProperties": false, "required": [ "port" ], "properties": {
                "name": { "type": "string" }, "port": { "type": "integer", "minimum": 1, "maximum": 65535 }, "targetPort": { "type": "string" },
                "protocol": { "enum": [ "tcp", "udp" ], "default": "tcp" } } },
              "RegistrationReply": { "type": "object", "properties": { "leaseSeconds": { "type": "integer" }, "revision": { "type": "integer" } } },
              "RegistrationProblem": { "type": "object", "properties": { "error": { "type": "string" } } },
              "RegistryNews": { "type": "object", "properties": { "instance": { "type": "string" }, "revision": { "type": "integer" },
                "isWhole": { "type": "boolean", "description": "Begins a list of everything." }, "isMore": { "type": "boolean", "description": "The next line belongs to it." },
                "services": { "type": "array", "items": { "type": "object", "properties": { "namespace": { "type": "string" }, "name": { "type": "string" },
                  "definition": { "oneOf": [ { "$ref": "#/components/schemas/ServiceRegistration" }, { "type": "null" } ] } } } },
                "endpoints": { "type": "array", "items": { "type": "object", "properties": { "namespace": { "type": "string" }, "service": { "type": "string" }, "id": { "type": "string" },
                  "endpoint": { "oneOf": [ { "$ref": "#/components/schemas/EndpointRegistration" }, { "type": "null" } ] } } } } } },
              "RegistryListing": { "type": "object", "properties": { "revision": { "type": "integer" },
                "services": { "type": "object", "additionalProperties": { "$ref": "#/components/schemas/ServiceRegistration" } },
                "endpoints": { "type": "array", "items": { "type": "object", "properties": { "namespace": { "type": "string" }, "service": { "type": "string" },
                  "id": { "type": "string" }, "endpoint": { "$ref": "#/components/schemas/EndpointRegistration" }, "secondsLeft": { "type": "number" } } } } } }
            }
          }
        }
        """;
}
