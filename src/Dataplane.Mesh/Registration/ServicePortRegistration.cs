namespace Dataplane.Mesh.Registration;

/// <summary>One port of a service, as registered.</summary>
public sealed record ServicePortRegistration
{
    /// <summary>Name; may be empty when it is the only one.</summary>
    public string Name { get; set; } = "";

    /// <summary>Port of the service, 1 to 65535.</summary>
    public int Port { get; set; }

    /// <summary>Port of the endpoints: a number, or the name of one of theirs; empty: the same.</summary>
    public string TargetPort { get; set; } = "";

    /// <summary><c>tcp</c> or <c>udp</c>.</summary>
    public string Protocol { get; set; } = "tcp";
}
