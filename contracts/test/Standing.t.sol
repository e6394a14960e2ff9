// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IStanding} from "../src/IStanding.sol";
import {Standing} from "../src/Standing.sol";
import {Base} from "./Base.sol";

contract BondTest is Base {
    address private immutable viewer = _account("viewer");

    function setUp() public override {
        super.setUp();
        vm.warp(1_700_000_000);
        vm.deal(viewer, 1_000 ether);
    }

    function testFuzz_what_is_bonded_counts(uint96 first, uint96 second) public {
        vm.assume(first > 0 && second > 0);
        vm.deal(viewer, uint256(first) + second);
        _bond(first);
        vm.expectEmit(address(standing));
        emit IStanding.Bonded(viewer, second, uint256(first) + second);
        _bond(second);
        (uint256 bondWei, bool vouched) = standing.standingOf(viewer);
        assert(bondWei == uint256(first) + second && !vouched);
        assert(address(standing).balance == bondWei && viewer.balance == 0);
    }

    function test_nothing_is_no_bond() public {
        vm.expectRevert(abi.encodeWithSelector(IStanding.ZeroAmount.selector));
        _bond(0);
        _bond(1 ether);
        vm.expectRevert(abi.encodeWithSelector(IStanding.ZeroAmount.selector));
        _unbond(0);
    }

    function test_coins_sent_without_words_come_back() public {
        vm.prank(viewer);
        (bool taken,) = address(standing).call{value: 1 ether}("");
        assert(!taken && viewer.balance == 1_000 ether);
    }

    function testFuzz_an_unbonded_part_counts_no_more_and_waits(uint96 bonded, uint96 part, uint32 waited) public {
        bonded = uint96(1 + bonded % 1_000 ether);
        part = uint96(1 + part % bonded);
        waited = uint32(waited % (2 * UNBOND_DELAY_S));
        _bond(bonded);
        uint256 release = block.timestamp + UNBOND_DELAY_S;
        vm.expectEmit(address(standing));
        emit IStanding.UnbondRequested(viewer, part, bonded - part, release);
        _unbond(part);
        (uint256 bondWei,) = standing.standingOf(viewer);
        assert(bondWei == bonded - part);
        assert(_same(abi.encode(standing.bondOf(viewer)), abi.encode(bonded - part, part, release)));

        uint256 nowS = block.timestamp + waited;
        vm.warp(nowS);
        if (waited < UNBOND_DELAY_S) {
            vm.expectRevert(abi.encodeWithSelector(IStanding.NotReleased.selector, nowS, release));
            _withdraw();
            assert(viewer.balance == 1_000 ether - bonded);
        } else {
            vm.expectEmit(address(standing));
            emit IStanding.Withdrawn(viewer, part);
            _withdraw();
            assert(viewer.balance == 1_000 ether - bonded + part);
            assert(_same(abi.encode(standing.bondOf(viewer)), abi.encode(bonded - part, 0, 0)));
        }
    }

    function test_the_second_of_the_release_is_enough() public {
        _bond(5 ether);
        _unbond(5 ether);
        vm.warp(1_700_000_000 + UNBOND_DELAY_S - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStanding.NotReleased.selector, 1_700_000_000 + UNBOND_DELAY_S - 1, 1_700_000_000 + UNBOND_DELAY_S
            )
        );
        _withdraw();
        vm.warp(1_700_000_000 + UNBOND_DELAY_S);
        _withdraw();
        assert(viewer.balance == 1_000 ether);
    }

    function test_a_second_request_makes_all_of_it_wait() public {
        _bond(5 ether);
        _unbond(2 ether);
        vm.warp(1_700_000_000 + UNBOND_DELAY_S);
        _unbond(1 ether);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStanding.NotReleased.selector, 1_700_000_000 + UNBOND_DELAY_S, 1_700_000_000 + 2 * UNBOND_DELAY_S
            )
        );
        _withdraw();
        vm.warp(1_700_000_000 + 2 * UNBOND_DELAY_S);
        _withdraw();
        assert(viewer.balance == 1_000 ether - 2 ether);
    }

    function test_nobody_unbonds_more_than_it_bonded() public {
        _bond(5 ether);
        vm.expectRevert(abi.encodeWithSelector(IStanding.BondTooSmall.selector, viewer, 5 ether + 1, 5 ether));
        _unbond(5 ether + 1);
        _unbond(5 ether);
        vm.expectRevert(abi.encodeWithSelector(IStanding.BondTooSmall.selector, viewer, 1, 0));
        _unbond(1);
    }

    function testFuzz_nobody_touches_the_bond_of_another(address caller) public {
        vm.assume(caller != viewer);
        _bond(5 ether);
        _unbond(2 ether);
        vm.warp(1_700_000_000 + UNBOND_DELAY_S);
        vm.expectRevert(abi.encodeWithSelector(IStanding.BondTooSmall.selector, caller, 1, 0));
        vm.prank(caller);
        standing.requestUnbond(1);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NothingLeaving.selector, caller));
        vm.prank(caller);
        standing.withdraw();
    }

    function test_a_withdrawal_is_made_once() public {
        _bond(5 ether);
        _unbond(5 ether);
        vm.warp(1_700_000_000 + UNBOND_DELAY_S);
        _withdraw();
        vm.expectRevert(abi.encodeWithSelector(IStanding.NothingLeaving.selector, viewer));
        _withdraw();
    }

    function test_a_contract_that_calls_back_gets_its_coins_once() public {
        // Coins of others, which it is after.
        _bond(500 ether);
        Thief thief = new Thief(standing);
        vm.deal(address(thief), 10 ether);
        thief.bondAndLeave(10 ether);
        vm.warp(block.timestamp + UNBOND_DELAY_S);
        thief.rob();
        assert(thief.attempts() == 1);
        assert(address(thief).balance == 10 ether);
        assert(address(standing).balance == 500 ether);
    }

    function test_a_contract_that_takes_no_coins_keeps_its_claim() public {
        Thief thief = new Thief(standing);
        vm.deal(address(thief), 10 ether);
        thief.bondAndLeave(10 ether);
        vm.warp(block.timestamp + UNBOND_DELAY_S);
        thief.refuse(true);
        vm.expectRevert(abi.encodeWithSelector(IStanding.TransferFailed.selector, address(thief), uint256(10 ether)));
        thief.rob();
        assert(standing.bondOf(address(thief)).leavingWei == 10 ether);
        thief.refuse(false);
        thief.rob();
        assert(address(thief).balance == 10 ether);
    }

    function _bond(uint256 amountWei) private {
        vm.prank(viewer);
        standing.bond{value: amountWei}();
    }

    function _unbond(uint256 amountWei) private {
        vm.prank(viewer);
        standing.requestUnbond(amountWei);
    }

    function _withdraw() private {
        vm.prank(viewer);
        standing.withdraw();
    }
}

/// @dev Asks for more while it is being paid.
contract Thief {
    Standing private immutable standing;
    bool private refuses;
    uint256 public attempts;

    constructor(Standing standing_) {
        standing = standing_;
    }

    function bondAndLeave(uint256 amountWei) external {
        standing.bond{value: amountWei}();
        standing.requestUnbond(amountWei);
    }

    function rob() external {
        standing.withdraw();
    }

    function refuse(bool refuses_) external {
        refuses = refuses_;
    }

    receive() external payable {
        require(!refuses);
        ++attempts;
        (bool again,) = address(standing).call(abi.encodeCall(IStanding.withdraw, ()));
        assert(!again);
        (again,) = address(standing).call(abi.encodeCall(IStanding.requestUnbond, (1)));
        assert(!again);
    }
}

contract VouchTest is Base {
    address private immutable viewer = _account("viewer");

    function setUp() public override {
        super.setUp();
        vm.warp(1_700_000_000);
        _appoint(supervisor);
    }

    function test_genesis_sets_delay_and_rate() public view {
        assert(standing.unbondDelayS() == UNBOND_DELAY_S);
        assert(standing.vouchesPerDay() == VOUCHES_PER_DAY);
    }

    function test_a_vouch_is_announced_and_counts() public {
        vm.expectEmit(address(standing));
        emit IStanding.Vouched(viewer, supervisor);
        _vouch(supervisor, viewer);
        assert(_vouched(viewer));
        assert(standing.voucherOf(viewer) == supervisor);
        assert(!_vouched(stranger));
    }

    function testFuzz_only_supervisors_vouch(address caller) public {
        vm.assume(caller != supervisor);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotSupervisor.selector, caller));
        _vouch(caller, viewer);
        assert(standing.vouchesLeft(caller) == 0);
    }

    function test_one_supervisor_vouches_for_an_account() public {
        vm.expectRevert(abi.encodeWithSelector(IStanding.InvalidAccount.selector, address(0)));
        _vouch(supervisor, address(0));
        _appoint(stranger);
        _vouch(supervisor, viewer);
        bytes memory refusal = abi.encodeWithSelector(IStanding.AlreadyVouched.selector, viewer, supervisor);
        vm.expectRevert(refusal);
        _vouch(stranger, viewer);
        vm.expectRevert(refusal);
        _vouch(supervisor, viewer);
    }

    function test_all_vouches_end_with_the_office_of_their_supervisor() public {
        _appoint(stranger);
        _vouch(supervisor, viewer);
        _vouch(supervisor, creator);
        _remove(supervisor);
        assert(!_vouched(viewer) && !_vouched(creator));
        _vouch(stranger, viewer);
        assert(_vouched(viewer) && standing.voucherOf(viewer) == stranger);
        // Appointed again, it answers for what nobody took over.
        _appoint(supervisor);
        assert(_vouched(creator) && standing.voucherOf(viewer) == stranger);
    }

    function test_who_vouches_revokes() public {
        _vouch(supervisor, viewer);
        vm.expectEmit(address(standing));
        emit IStanding.VouchRevoked(viewer, supervisor, supervisor);
        _revoke(supervisor);
        assert(!_vouched(viewer));
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotVouched.selector, viewer));
        _revoke(supervisor);
    }

    function testFuzz_nobody_else_revokes(address caller) public {
        vm.assume(caller != supervisor);
        _vouch(supervisor, viewer);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotResponsible.selector, caller, supervisor));
        _revoke(caller);
    }

    function test_the_governor_stands_in_for_a_removed_supervisor() public {
        _vouch(supervisor, viewer);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotResponsible.selector, governor, supervisor));
        _revoke(governor);
        _remove(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IStanding.NotResponsible.selector, supervisor, governor));
        _revoke(supervisor);
        vm.expectEmit(address(standing));
        emit IStanding.VouchRevoked(viewer, supervisor, governor);
        _revoke(governor);
        _appoint(supervisor);
        assert(!_vouched(viewer));
    }

    function test_a_day_has_so_many_vouches_and_revoking_gives_none_back() public {
        for (uint256 i = 0; i < VOUCHES_PER_DAY; ++i) {
            assert(standing.vouchesLeft(supervisor) == VOUCHES_PER_DAY - i);
            _vouch(supervisor, address(uint160(0xE000 + i)));
        }
        vm.prank(supervisor);
        standing.revokeVouch(address(0xE000));
        vm.expectRevert(abi.encodeWithSelector(IStanding.TooManyVouches.selector, supervisor, VOUCHES_PER_DAY));
        _vouch(supervisor, viewer);

        // Another supervisor has a day of its own, and the next day is a new one, at midnight UTC.
        _appoint(stranger);
        _vouch(stranger, viewer);
        uint256 midnight = (block.timestamp / 1 days + 1) * 1 days;
        vm.warp(midnight - 1);
        assert(standing.vouchesLeft(supervisor) == 0);
        vm.warp(midnight);
        _vouch(supervisor, address(0xE000));
        assert(standing.vouchesLeft(supervisor) == VOUCHES_PER_DAY - 1);
    }

    function test_a_bond_and_a_vouch_are_apart() public {
        vm.deal(viewer, 3 ether);
        vm.prank(viewer);
        standing.bond{value: 3 ether}();
        _vouch(supervisor, viewer);
        (uint256 bondWei, bool vouched) = standing.standingOf(viewer);
        assert(bondWei == 3 ether && vouched);
        _revoke(supervisor);
        (bondWei, vouched) = standing.standingOf(viewer);
        assert(bondWei == 3 ether && !vouched);
    }

    function _vouched(address account) private view returns (bool vouched) {
        (, vouched) = standing.standingOf(account);
    }

    function _vouch(address by, address account) private {
        vm.prank(by);
        standing.vouch(account);
    }

    function _revoke(address by) private {
        vm.prank(by);
        standing.revokeVouch(viewer);
    }
}
