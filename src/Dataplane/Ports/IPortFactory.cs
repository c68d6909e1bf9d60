namespace Dataplane.Ports;

/// <summary>Opens a port. Implemented by each kind of port; users may bring their own.</summary>
public interface IPortFactory
{
    /// <summary>Name of the kind as in the configuration, such as <c>af_packet</c>.</summary>
    string Kind { get; }

    /// <summary>Opens the port; may allocate, block briefly and throw.</summary>
    /// <param name="name">The port's name in the configuration, for messages.</param>
    /// <exception cref="IOException">The system refused; the message names call, errno, interface and remedy.</exception>
    IPort Open(string name);
}
