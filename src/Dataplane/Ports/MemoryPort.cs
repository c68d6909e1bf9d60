namespace Dataplane.Ports;

/// <summary>In-memory port.</summary>
public sealed class MemoryPort : IPortFactory
{
    /// <inheritdoc/>
    public string Kind => "memory";

    /// <inheritdoc/>
    public IPort Open(string name) => throw new NotSupportedException();
}
