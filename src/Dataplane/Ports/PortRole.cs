namespace Dataplane.Ports;

/// <summary>Which end of a socket a port is (memif, stream).</summary>
public enum PortRole
{
    /// <summary>Connects to a socket that is there.</summary>
    Client = 0,

    /// <summary>Makes the socket and waits for the other end.</summary>
    Server,
}
