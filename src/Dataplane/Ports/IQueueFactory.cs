namespace Dataplane.Ports;

/// <summary>Opens a port with several queues, each of which belongs to one worker.</summary>
internal interface IQueueFactory : IPortFactory
{
    /// <summary>Opens all queues; may allocate, block briefly and throw.</summary>
    /// <param name="name">The port's name in the configuration, for messages.</param>
    /// <param name="workers">By queue: the worker that runs it.</param>
    /// <param name="memoriesOf">By worker: the memories that its AF_XDP ports share.</param>
    /// <exception cref="IOException">The system refused; what was opened before is closed again.</exception>
    IQueuedPort OpenQueues(string name, IReadOnlyList<int> workers, Func<int, AfXdpMemories> memoriesOf);
}
