namespace Dataplane.Mesh.Registration;

/// <summary>What <c>AddDataplaneRegistration</c> registers.</summary>
public sealed class DataplaneRegistrationOptions
{
    /// <summary>Address of the registry.</summary>
    public Uri? Registry { get; set; }

    /// <summary>The word of the registry; null: it asks for none.</summary>
    public string? Token { get; set; }

    /// <summary>Name of the service.</summary>
    public string Service { get; set; } = "";

    /// <summary>Name space of the service.</summary>
    public string Namespace { get; set; } = "default";

    /// <summary>What this instance calls itself; by default the name of the machine and a part by chance.</summary>
    public string Id { get; set; } = $"{Environment.MachineName}-{Guid.NewGuid():n}"[..Math.Min(128, Environment.MachineName.Length + 9)];

    /// <summary>What is registered.</summary>
    public EndpointRegistration Endpoint { get; set; } = new();
}
