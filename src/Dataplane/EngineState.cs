namespace Dataplane;

/// <summary>Where an engine is in its life.</summary>
public enum EngineState
{
    /// <summary>Made, ports not open.</summary>
    Created = 0,

    /// <summary>Ports open, forwarding.</summary>
    Running,

    /// <summary>Stopped; ports closed. It cannot be started again.</summary>
    Stopped,

    /// <summary>The worker ended by an exception: see <see cref="DataplaneEngine.Completion"/>.</summary>
    Failed,
}
