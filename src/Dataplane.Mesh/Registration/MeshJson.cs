using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dataplane.Mesh.Registration;

/// <summary>The JSON of the registry, without reflection.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(EndpointRegistration))]
[JsonSerializable(typeof(ServiceRegistration))]
[JsonSerializable(typeof(RegistrationReply))]
[JsonSerializable(typeof(RegistrationProblem))]
[JsonSerializable(typeof(RegistryListing))]
[JsonSerializable(typeof(RegistryNews))]
internal sealed partial class MeshJson : JsonSerializerContext;
