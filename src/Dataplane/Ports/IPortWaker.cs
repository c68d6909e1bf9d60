namespace Dataplane.Ports;

/// <summary>Wakes the worker of a port. Safe to call from any thread, cheap when the worker is awake.</summary>
public interface IPortWaker
{
    /// <summary>Wakes the worker if it sleeps.</summary>
    void Wake();
}
