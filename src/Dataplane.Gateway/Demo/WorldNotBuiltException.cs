namespace Dataplane.Gateway.Demo;

/// <summary>The system would not let the demo's world be built; another kind of world may do.</summary>
internal sealed class WorldNotBuiltException(string message, Exception inner) : IOException(message, inner);
