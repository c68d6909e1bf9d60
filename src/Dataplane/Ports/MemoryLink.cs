namespace Dataplane.Ports;

/// <summary>The link state of an in-memory port, or of both ends of a pair.</summary>
internal sealed class MemoryLink
{
    private volatile LinkState _state = LinkState.Up;

    internal LinkState State
    {
        get => _state;
        set => _state = value;
    }

    internal bool IsUp => _state == LinkState.Up;
}
